#include "model/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <future>
#include <map>

#include "brainquant/support/error.h"
#include "io/torch_archive.h"
#include "model/usable_values.h"
#include "support/atomic_file.h"
#include "support/sha256.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxArgsBytes = std::size_t{1} << 20;
constexpr const char* kStateDict = "model_state_dict";

/// The folder that holds best_checkpoint and args.yaml; empty if there is none.
fs::path find_checkpoint_folder(const fs::path& path) {
  for (const fs::path& folder : {path / "checkpoint", path}) {
    std::error_code error;
    if (fs::exists(folder / kCheckpointFileName, error)) return folder;
  }
  return {};
}

/// What a file is that stands where a model's folder is needed.
std::string what_is_no_folder(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return "is not a folder; a model's folder is needed";
  try {
    const TorchArchiveReader archive(path);
    const PickleField root = archive.root_field();
    if (root.has("format")) return "is a quantized file; evaluate_quantized_model takes it. A model's folder is needed";
    if (root.has(kStateDict)) return "is a checkpoint's weights; the folder that holds them and args.yaml is needed";
  } catch (const Error&) {
    // Whatever else it is.
  }
  return "is not a folder; a model's folder is needed";
}

fs::path checkpoint_folder(const fs::path& path) {
  const fs::path folder = find_checkpoint_folder(path);
  if (!folder.empty()) return folder;
  std::error_code error;
  if (!fs::exists(path, error)) throw FileError(path.string(), "there is no such folder");
  if (!fs::is_directory(path, error)) throw FileError(path.string(), what_is_no_folder(path));
  throw FileError(path.string(), "holds neither checkpoint/best_checkpoint nor best_checkpoint");
}

/// The name of a parameter without what wrappers (DataParallel, torch.compile) put into it.
std::string parameter_name(const std::string& key) {
  std::string name;
  for (std::size_t from = 0; from <= key.size();) {
    const std::size_t end = std::min(key.find('.', from), key.size());
    const std::string part = key.substr(from, end - from);
    if (part != "module" && part != "_orig_mod") name += (name.empty() ? "" : ".") + part;
    from = end + 1;
  }
  return name;
}

/// A tensor that the model needs and where its values go.
struct Parameter {
  std::string name;
  std::vector<std::int64_t> shape;
  std::function<void(std::vector<float>)> store;
};

class ParameterList {
 public:
  void add(std::string name, std::vector<std::int64_t> shape, std::vector<float>& to) {
    list_.push_back({std::move(name), std::move(shape), [&to](std::vector<float> values) { to = std::move(values); }});
  }
  void add(std::string name, std::int64_t rows, std::int64_t cols, Matrix& to) {
    list_.push_back({std::move(name), {rows, cols}, [&to, rows, cols](std::vector<float> values) {
                       to = {rows, cols, std::move(values)};
                     }});
  }
  const std::vector<Parameter>& list() const { return list_; }

 private:
  std::vector<Parameter> list_;
};

/// Every parameter of a decoder, with its place in `weights`, which must outlive the list.
ParameterList parameters_of(const DecoderConfig& config, DecoderWeights& weights) {
  ParameterList parameters;
  const std::int64_t features = config.n_input_features;
  const std::int64_t units = config.n_units;
  weights.day_weights.resize(config.sessions.size());
  weights.day_biases.resize(config.sessions.size());
  for (std::size_t d = 0; d < config.sessions.size(); ++d) {
    parameters.add(fmt::format("day_weights.{}", d), features, features, weights.day_weights[d]);
    parameters.add(fmt::format("day_biases.{}", d), {1, features}, weights.day_biases[d]);
  }
  weights.gru.resize(static_cast<std::size_t>(config.n_layers));
  for (std::size_t k = 0; k < weights.gru.size(); ++k) {
    GruLayerWeights& layer = weights.gru[k];
    const std::int64_t input = k == 0 ? config.step_input_size() : units;
    parameters.add(fmt::format("gru.weight_ih_l{}", k), 3 * units, input, layer.weight_ih);
    parameters.add(fmt::format("gru.weight_hh_l{}", k), 3 * units, units, layer.weight_hh);
    parameters.add(fmt::format("gru.bias_ih_l{}", k), {3 * units}, layer.bias_ih);
    parameters.add(fmt::format("gru.bias_hh_l{}", k), {3 * units}, layer.bias_hh);
  }
  parameters.add("out.weight", config.n_classes, units, weights.out_weight);
  parameters.add("out.bias", {config.n_classes}, weights.out_bias);
  parameters.add("h0", {1, 1, units}, weights.h0);
  return parameters;
}

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void require_usable(const PickleField& field, const std::vector<float>& values) {
  if (all_usable(values)) return;
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(values.begin(), values.end(), finite)) field.fail("holds a NaN or an infinity");
  field.fail(fmt::format("holds a magnitude above {:g}", kLargestMagnitude));
}

std::map<std::string, PickleField> tensors_by_name(const PickleField& state_dict) {
  std::map<std::string, PickleField> tensors;
  for (const auto& [key, field] : state_dict.entries()) {
    const auto [place, is_new] = tensors.emplace(parameter_name(key), field);
    if (!is_new) {
      field.fail(
          fmt::format("is the same parameter as {} once the wrappers' prefixes are taken off", place->second.where()));
    }
  }
  return tensors;
}

// The usual other decoders, named for what they are instead of by a shape that is wrong.
void refuse_other_decoders(const std::map<std::string, PickleField>& tensors, const ParameterList& parameters) {
  constexpr int kGruGates = 3;
  for (const auto& [name, field] : tensors) {
    if (name.starts_with("lstm.")) field.fail("is of an LSTM: only GRU decoders are supported");
  }
  for (const Parameter& parameter : parameters.list()) {
    const auto found = tensors.find(parameter.name);
    if (!parameter.name.starts_with("gru.weight_hh") || found == tensors.end()) continue;
    const PickleTensor* const tensor = found->second.value().if_tensor();
    if (tensor == nullptr || tensor->shape.size() != 2) continue;
    const std::int64_t gates = tensor->shape[1] > 0 ? tensor->shape[0] / tensor->shape[1] : kGruGates;
    if (tensor->shape[0] != gates * tensor->shape[1] || gates == kGruGates) continue;
    found->second.fail(fmt::format("has {} gates{}: only GRU decoders, with {}, are supported", gates,
                                   gates == 4   ? " as an LSTM"
                                   : gates == 1 ? " as a plain RNN"
                                                : "",
                                   kGruGates));
  }
}

void check_names(const std::map<std::string, PickleField>& tensors, const ParameterList& parameters,
                 const PickleField& state_dict) {
  refuse_other_decoders(tensors, parameters);
  std::map<std::string, const Parameter*> needed;
  for (const Parameter& parameter : parameters.list()) {
    needed.emplace(parameter.name, &parameter);
    if (!tensors.contains(parameter.name)) {
      throw FormatError(state_dict.path(), fmt::format("{}.{}", state_dict.where(), parameter.name), "nothing",
                        "a tensor " + shape_text(parameter.shape));
    }
  }
  for (const auto& [name, field] : tensors) {
    if (!needed.contains(name)) {
      throw FormatError(field.path(), field.where(), field.value().description(),
                        "nothing: the decoder that args.yaml describes has no such parameter");
    }
  }
}

void load_weights(const TorchArchiveReader& archive, const DecoderConfig& config, DecoderWeights& weights,
                  const RunContext& context) {
  const PickleField state_dict = archive.root_field().at(kStateDict);
  const std::map<std::string, PickleField> tensors = tensors_by_name(state_dict);
  const ParameterList parameters = parameters_of(config, weights);
  check_names(tensors, parameters, state_dict);
  const auto total = static_cast<std::int64_t>(parameters.list().size());
  std::int64_t done = 0;
  for (const Parameter& parameter : parameters.list()) {
    context.cancel.check();
    const PickleField& field = tensors.at(parameter.name);
    const std::vector<std::int64_t>& shape = field.as_tensor().shape;
    if (shape != parameter.shape) {
      throw FormatError(field.path(), field.where(), "a tensor " + shape_text(shape), shape_text(parameter.shape));
    }
    std::vector<float> values = archive.read_float32(field);
    require_usable(field, values);
    parameter.store(std::move(values));
    context.progress.update("checkpoint", ++done, total);
  }
}

/// The training run's own phoneme error rate, for reports only: whatever it is, the model can be used without it.
std::optional<double> validation_error(const TorchArchiveReader& archive, const RunContext& context) {
  const PickleField root = archive.root_field();
  if (!root.has("val_PER")) return std::nullopt;
  const PickleField field = root.at("val_PER");
  const double* real = field.value().if_double();
  const std::int64_t* integer = field.value().if_int();
  const double value = real ? *real : integer ? static_cast<double>(*integer) : std::nan("");
  if (std::isfinite(value) && value >= 0) return value;
  context.log.warning(fmt::format("{}: val_PER: found {}, expected a number; it is ignored", field.path(),
                                  field.value().description()));
  return std::nullopt;
}

}  // namespace

bool is_checkpoint_folder(const fs::path& path) { return !find_checkpoint_folder(path).empty(); }

void require_checkpoint_folder(const fs::path& path) { checkpoint_folder(path); }

std::string checkpoint_sha256(const fs::path& folder) {
  return sha256_of_file(checkpoint_folder(folder) / kCheckpointFileName);
}

CheckpointArgs read_checkpoint_args(const fs::path& folder) {
  CheckpointArgs args;
  args.path = checkpoint_folder(folder) / kArgsFileName;
  args.text = read_file(args.path, kMaxArgsBytes);
  args.sha256 = sha256_of_bytes(args.text.data(), args.text.size());
  args.config = parse_args_yaml(args.text, args.path.string());
  return args;
}

std::vector<StoredParameter> stored_parameters(const fs::path& weights_path) {
  const TorchArchiveReader archive(weights_path);
  std::vector<StoredParameter> parameters;
  for (const auto& [key, field] : archive.root_field().at(kStateDict).entries()) {
    const PickleTensor& tensor = field.as_tensor();
    parameters.push_back({parameter_name(key), name_of(tensor.storage.type), tensor.shape,
                          tensor.elements() * static_cast<std::int64_t>(bytes_per_element(tensor.storage.type))});
  }
  return parameters;
}

Checkpoint load_checkpoint(const fs::path& folder, const RunContext& context) {
  const fs::path place = checkpoint_folder(folder);
  Checkpoint checkpoint;
  CheckpointArgs args = read_checkpoint_args(folder);
  checkpoint.args_path = std::move(args.path);
  checkpoint.args_yaml = std::move(args.text);
  checkpoint.args_sha256 = std::move(args.sha256);
  checkpoint.config = std::move(args.config);
  checkpoint.weights_path = place / kCheckpointFileName;

  const TorchArchiveReader archive(checkpoint.weights_path, context);
  // Hashing reads the whole file, optimizer and all; loading waits for it only at the end. On a thread of its own if
  // one can be had.
  std::future<std::string> sha256 =
      std::async(std::launch::async | std::launch::deferred, [&] { return archive.file_sha256(); });
  load_weights(archive, checkpoint.config, checkpoint.weights, context);
  checkpoint.val_per = validation_error(archive, context);
  checkpoint.sha256 = sha256.get();
  archive.require_unchanged();
  return checkpoint;
}

}  // namespace brainquant
