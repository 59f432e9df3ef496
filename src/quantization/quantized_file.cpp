#include "quantization/quantized_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_set>

#include "brainquant/support/error.h"
#include "io/torch_archive.h"
#include "model/classes.h"
#include "model/config_limits.h"
#include "model/smoothing.h"
#include "quantization/bits_rule.h"
#include "quantization/parsed_field.h"
#include "quantization/quantized_file_head.h"
#include "quantization/tensor_loader.h"
#include "quantization/usable_product.h"
#include "quantization/weight_codec.h"
#include "support/sha256.h"

namespace brainquant {

namespace {

/// Every tensor of the file in its order.
std::vector<TensorRecord> records_of(const QuantizedModel& model) {
  std::vector<TensorRecord> records;
  const auto add_vector = [&](std::string name, const std::vector<float>& values) {
    records.push_back(float32_record(std::move(name), values));
  };
  const auto add_weight = [&](const std::string& name, const WeightMatrix& weight) {
    for (TensorRecord& record : codec_of(weight).records(name, weight)) records.push_back(std::move(record));
  };
  for (std::size_t d = 0; d < model.day_biases.size(); ++d) {
    if (model.day_residuals.empty()) {
      const Matrix& day = model.day_weights[d];
      records.push_back({fmt::format("day_weights.{}", d),
                         WeightFormat::float32,
                         TensorType::float32,
                         {day.rows, day.cols},
                         day.values.data()});
    } else {
      add_weight(fmt::format("day_residuals.{}", d), model.day_residuals[d]);
    }
    add_vector(fmt::format("day_biases.{}", d), model.day_biases[d]);
  }
  for (std::size_t k = 0; k < model.gru.size(); ++k) {
    add_weight(fmt::format("gru.weight_ih_l{}", k), model.gru[k].weight_ih);
    add_weight(fmt::format("gru.weight_hh_l{}", k), model.gru[k].weight_hh);
    add_vector(fmt::format("gru.bias_ih_l{}", k), model.gru[k].bias_ih);
    add_vector(fmt::format("gru.bias_hh_l{}", k), model.gru[k].bias_hh);
  }
  add_weight("out.weight", model.out_weight);
  add_vector("out.bias", model.out_bias);
  add_vector("h0", model.h0);
  return records;
}

std::optional<ScaleRange> scale_range(const TensorRecord& record) {
  if (!record.name.ends_with(".scale") || record.bytes() == 0) return {};
  const std::span scales(static_cast<const float*>(record.data),
                         static_cast<std::size_t>(record.bytes()) / sizeof(float));
  const auto [min, max] = std::minmax_element(scales.begin(), scales.end());
  return ScaleRange{*min, *max};
}

PickleValue strings(const std::vector<std::string>& values) {
  return PickleValue::list(PickleValue::Items(values.begin(), values.end()));
}

/// INT8 files that say nothing of it were rounded to nearest, as all were once.
bool records_rounding(const QuantizationOptions& options) { return options.has_4_bit_weights() || options.uses_gptq(); }

PickleValue quantization_entry(const QuantizationOptions& options) {
  PickleValue::Entries entries = {
      {"quantization_type", name_of(options.quantization_type)},
      {"dtype", name_of(options.dtype)},
      {"weight_granularity",
       options.has_scales() ? PickleValue(name_of(options.effective_granularity())) : PickleValue()},
      {"day_layers", name_of(options.day_layers)},
      {"observer", options.is_static() ? PickleValue(name_of(options.effective_observer())) : PickleValue()},
      {"calibration_samples", options.is_static() ? PickleValue(options.calibration_samples) : PickleValue()},
  };
  if (options.dtype == Dtype::mixed) entries.emplace_back("bits", strings(options.bits));
  if (records_rounding(options)) {
    entries.emplace_back("weight_rounding", name_of(options.effective_weight_rounding()));
    entries.emplace_back("gptq_samples", options.uses_gptq() ? PickleValue(options.gptq_samples) : PickleValue());
  }
  return PickleValue::dict(std::move(entries));
}

PickleValue model_entry(const DecoderConfig& config) {
  return PickleValue::dict({
      {"n_input_features", config.n_input_features},
      {"n_units", config.n_units},
      {"n_layers", config.n_layers},
      {"n_classes", config.n_classes},
      {"patch_size", config.patch_size},
      {"patch_stride", config.patch_stride},
      {"classes", strings(class_names(config.n_classes))},
      {"sessions", strings(config.sessions)},
      {"smooth_data", config.smoothing.smooth_data},
      {"smooth_kernel_std", config.smoothing.smooth_kernel_std},
      {"smooth_kernel_size", config.smoothing.smooth_kernel_size},
  });
}

PickleValue text_or_none(const std::optional<std::string>& text) { return text ? PickleValue(*text) : PickleValue(); }

PickleValue added_sessions_entry(const std::vector<AddedSession>& sessions) {
  PickleValue::Items items;
  for (const AddedSession& added : sessions) {
    items.push_back(PickleValue::dict({{"session", added.session},
                                       {"source_sha256", added.source_sha256},
                                       {"tool_version", added.tool_version},
                                       {"replaced", added.replaced}}));
  }
  return PickleValue::list(std::move(items));
}

PickleValue provenance_entry(const Provenance& provenance) {
  PickleValue::Entries entries = {
      {"tool_version", provenance.tool_version},
      {"source_sha256", provenance.source_sha256},
      {"args_sha256", provenance.args_sha256},
      {"libtorch_version", text_or_none(provenance.libtorch_version)},
      {"val_per", provenance.val_per ? PickleValue(*provenance.val_per) : PickleValue()},
      {"calibration_trials", strings(provenance.calibration_trials)},
      {"calibration_sha256", text_or_none(provenance.calibration_sha256)},
  };
  if (provenance.parameters) {
    entries.emplace_back("shared_sha256", provenance.parameters->shared);
    entries.emplace_back("day_sha256", strings(provenance.parameters->days));
  }
  if (!provenance.added_sessions.empty()) {
    entries.emplace_back("added_sessions", added_sessions_entry(provenance.added_sessions));
  }
  return PickleValue::dict(std::move(entries));
}

PickleValue scales_entry(const std::optional<ActivationScales>& scales) {
  if (!scales) return {};
  PickleValue::Items hidden;
  for (const float scale : scales->hidden) hidden.emplace_back(static_cast<double>(scale));
  return PickleValue::dict({{"day_input", static_cast<double>(scales->day_input)},
                            {"step_input", static_cast<double>(scales->step_input)},
                            {"hidden", PickleValue::list(std::move(hidden))}});
}

// ---- reading ----

bool is_none(const PickleField& field) { return field.value().kind() == PickleValue::Kind::none; }

std::optional<std::string> read_text_or_none(const PickleField& field) {
  if (is_none(field)) return std::nullopt;
  return field.as_string();
}

std::vector<std::string> read_strings(const PickleField& field) {
  std::vector<std::string> values;
  for (const PickleField& item : field.items()) values.push_back(item.as_string());
  return values;
}

/// The type and the dtype say what granularity the weights have, but for dynamic INT8; the entry must not contradict
/// them.
void check_granularity(const PickleField& field, const QuantizationOptions& options) {
  const std::optional<std::string> found = read_text_or_none(field);
  if (!options.has_scales()) {
    if (found) {
      field.fail(fmt::format("found '{}', expected None: {} weights have no scales", *found, name_of(options.dtype)));
    }
    return;
  }
  const std::string expected = name_of(options.effective_granularity());
  if (found != expected) {
    field.fail(fmt::format("found {}, expected '{}' of {}", found ? "'" + *found + "'" : "None", expected,
                           options.method_name()));
  }
}

std::vector<std::string> read_rules(const PickleField& field) {
  std::vector<std::string> rules = read_strings(field);
  for (const PickleField& rule : field.items()) parsed(rule, parse_bits_rule);
  return rules;
}

constexpr std::int64_t kMostTrials = std::int64_t{1} << 40;

QuantizationOptions read_options(const PickleField& field) {
  QuantizationOptions options;
  options.quantization_type = parsed(field.at("quantization_type"), parse_quantization_type);
  options.dtype = parsed(field.at("dtype"), parse_dtype);
  options.day_layers = parsed(field.at("day_layers"), parse_day_layers);
  if (options.is_static()) {
    options.observer = parsed(field.at("observer"), parse_observer);
    options.calibration_samples = field.at("calibration_samples").as_int(1, kMostTrials);
  } else if (options.chooses_granularity()) {
    options.weight_granularity = parsed(field.at("weight_granularity"), parse_granularity);
  }
  if (options.dtype == Dtype::mixed) options.bits = read_rules(field.at("bits"));
  if (options.has_4_bit_weights() || (options.has_scales() && field.has("weight_rounding"))) {
    options.weight_rounding = parsed(field.at("weight_rounding"), parse_weight_rounding);
  } else if (options.has_scales()) {
    options.weight_rounding = WeightRounding::nearest;
  }
  if (options.uses_gptq()) {
    options.gptq_samples = field.at("gptq_samples").as_int(1, kMostTrials);
  }
  try {
    options.validate();
  } catch (const UsageError& error) {
    field.fail(error.what());
  }
  check_granularity(field.at("weight_granularity"), options);
  return options;
}

/// Distinct names of folders, as args.yaml's are.
std::vector<std::string> read_sessions(const PickleField& field) {
  const std::vector<PickleField> items = field.items();
  if (items.empty() || items.size() > config_limits::kMaxSessions) {
    field.fail(fmt::format("found {} sessions, expected 1 to {}", items.size(), config_limits::kMaxSessions));
  }
  std::vector<std::string> sessions;
  std::unordered_set<std::string> seen;
  for (const PickleField& item : items) {
    const std::string& name = item.as_string();
    if (!config_limits::is_folder_name(name)) item.fail("expected the name of a folder");
    if (!seen.insert(name).second) item.fail(fmt::format("found '{}' a second time, expected each session once", name));
    sessions.push_back(name);
  }
  return sessions;
}

SmoothingConfig read_smoothing(const PickleField& field) {
  SmoothingConfig smoothing;
  smoothing.smooth_data = field.at("smooth_data").as_bool();
  const PickleField kernel_std = field.at("smooth_kernel_std");
  smoothing.smooth_kernel_std = kernel_std.as_double();
  if (!config_limits::is_kernel_std(smoothing.smooth_kernel_std)) {
    kernel_std.fail(fmt::format("found {}, expected a number above 0 and at most {}", smoothing.smooth_kernel_std,
                                config_limits::kMaxKernelStd));
  }
  smoothing.smooth_kernel_size = field.at("smooth_kernel_size").as_int(1, config_limits::kMaxKernelSize);
  try {
    smoothing_taps(smoothing);
  } catch (const UsageError& error) {
    field.fail(error.what());
  }
  return smoothing;
}

DecoderConfig read_config(const PickleField& field) {
  using namespace config_limits;
  DecoderConfig config;
  config.n_input_features = field.at("n_input_features").as_int(1, kMaxWidth);
  config.n_units = field.at("n_units").as_int(1, kMaxWidth);
  config.n_layers = field.at("n_layers").as_int(1, kMaxLayers);
  config.n_classes = field.at("n_classes").as_int(kMinClasses, kMaxWidth);
  config.patch_size = field.at("patch_size").as_int(0, kMaxPatch);
  config.patch_stride = field.at("patch_stride").as_int(config.patch_size > 0 ? 1 : 0, kMaxPatch);
  config.sessions = read_sessions(field.at("sessions"));
  config.smoothing = read_smoothing(field);
  if (config.parameter_count() > kMaxParameters) {
    field.fail(
        fmt::format("sizes that make {} parameters, expected at most {}", config.parameter_count(), kMaxParameters));
  }
  return config;
}

/// The names are this tool's own: others would be printed as the wrong phonemes.
std::vector<std::string> read_classes(const PickleField& field, std::int64_t n_classes) {
  const std::vector<std::string> expected = class_names(n_classes);
  const std::vector<PickleField> items = field.items();
  if (items.size() != expected.size()) {
    field.fail(fmt::format("found {} names, expected {}", items.size(), expected.size()));
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].as_string() != expected[i]) {
      items[i].fail(fmt::format("found '{}', expected '{}'", items[i].as_string(), expected[i]));
    }
  }
  return expected;
}

std::vector<AddedSession> read_added_sessions(const PickleField& field) {
  std::vector<AddedSession> sessions;
  for (const PickleField& item : field.items()) {
    sessions.push_back({item.at("session").as_string(), item.at("source_sha256").as_string(),
                        item.at("tool_version").as_string(), item.at("replaced").as_bool()});
  }
  return sessions;
}

/// `sessions`: how many the model has.
Provenance read_provenance(const PickleField& field, int format_version, std::size_t sessions) {
  Provenance provenance;
  provenance.tool_version = field.at("tool_version").as_string();
  provenance.source_sha256 = field.at("source_sha256").as_string();
  provenance.calibration_trials = read_strings(field.at("calibration_trials"));
  if (!is_none(field.at("val_per"))) provenance.val_per = field.at("val_per").as_double();
  if (format_version < 2) return provenance;
  provenance.args_sha256 = field.at("args_sha256").as_string();
  provenance.libtorch_version = read_text_or_none(field.at("libtorch_version"));
  provenance.calibration_sha256 = read_text_or_none(field.at("calibration_sha256"));
  if (field.has("shared_sha256")) {
    provenance.parameters = {field.at("shared_sha256").as_string(), read_strings(field.at("day_sha256"))};
    if (provenance.parameters->days.size() != sessions) {
      field.at("day_sha256")
          .fail(fmt::format("found {} hashes, expected {}", provenance.parameters->days.size(), sessions));
    }
  }
  if (field.has("added_sessions")) provenance.added_sessions = read_added_sessions(field.at("added_sessions"));
  return provenance;
}

}  // namespace

QuantizedFileHead read_head(const PickleField& root) {
  if (!root.has("format") || root.at("format").as_string() != "brainquant") {
    if (root.has("model_state_dict")) root.fail("a checkpoint's weights, no quantized model: name its folder instead");
    root.fail("not a quantized model of this tool (a folder with checkpoint/best_checkpoint is the fp32 model)");
  }
  QuantizedFileHead head;
  head.format_version = static_cast<int>(root.at("format_version").as_int(1, kQuantizedFileVersion));
  head.options = read_options(root.at("quantization"));
  head.config = read_config(root.at("model"));
  if (head.format_version >= 2) {
    head.classes = read_classes(root.at("model").at("classes"), head.config.n_classes);
  }
  head.provenance = read_provenance(root.at("provenance"), head.format_version, head.config.sessions.size());
  return head;
}

namespace {

/// Smallest activation scale whose inverse and products stay normal numbers.
constexpr double kSmallestScale = 0x1p-100;

float read_scale(const PickleField& field) {
  const double scale = field.as_double();
  if (!(scale >= kSmallestScale && scale <= kLargestMagnitude && is_usable_product(127, static_cast<float>(scale)))) {
    field.fail(fmt::format("found the scale {}, out of range", scale));
  }
  return static_cast<float>(scale);
}

}  // namespace

ActivationScales read_activation_scales(const PickleField& field, std::int64_t layers) {
  ActivationScales scales;
  scales.day_input = read_scale(field.at("day_input"));
  scales.step_input = read_scale(field.at("step_input"));
  for (const PickleField& item : field.at("hidden").items()) scales.hidden.push_back(read_scale(item));
  if (static_cast<std::int64_t>(scales.hidden.size()) != layers) {
    field.at("hidden").fail(fmt::format("found {} scales, expected {}", scales.hidden.size(), layers));
  }
  return scales;
}

std::vector<StoredTensor> stored_tensors(const QuantizedModel& model) {
  std::vector<StoredTensor> tensors;
  for (const TensorRecord& record : records_of(model)) {
    tensors.push_back({record.name, name_of(record.format), record.shape, record.bytes(), scale_range(record)});
  }
  return tensors;
}

void save_quantized_model(const QuantizedModel& model, const std::filesystem::path& path) {
  TorchArchiveWriter archive(path);
  PickleValue::Entries tensors;
  PickleValue::Entries formats;
  PickleValue::Entries checksums;
  for (const TensorRecord& record : records_of(model)) {
    tensors.emplace_back(record.name, archive.add_tensor(record.type, record.shape, record.data));
    formats.emplace_back(record.name, name_of(record.format));
    checksums.emplace_back(record.name, sha256_of_bytes(record.data, static_cast<std::size_t>(record.bytes())));
  }
  archive.commit(PickleValue::dict({
      {"format", "brainquant"},
      {"format_version", kQuantizedFileVersion},
      {"quantization", quantization_entry(model.options)},
      {"model", model_entry(model.config)},
      {"provenance", provenance_entry(model.provenance)},
      {"activation_scales", scales_entry(model.activation_scales)},
      {"tensors", PickleValue::dict(std::move(tensors))},
      {"formats", PickleValue::dict(std::move(formats))},
      {"checksums", PickleValue::dict(std::move(checksums))},
  }));
}

QuantizedFileHead read_quantized_head(const std::filesystem::path& path) {
  const TorchArchiveReader archive(path);
  return read_head(archive.root_field());
}

}  // namespace brainquant
