#include "brainquant/quantization/quantized_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>
#include <unordered_set>

#include "brainquant/io/torch_archive.h"
#include "brainquant/model/classes.h"
#include "brainquant/model/smoothing.h"
#include "brainquant/support/error.h"
#include "brainquant/support/sha256.h"
#include "model/config_limits.h"
#include "model/usable_values.h"

namespace brainquant {

namespace {

using Shape = std::vector<std::int64_t>;
using TensorVisitor =
    std::function<void(const std::string& name, TensorType type, const Shape& shape, const void* data)>;

void visit_vector(const std::string& name, const std::vector<float>& values, const TensorVisitor& visit) {
  visit(name, TensorType::float32, {static_cast<std::int64_t>(values.size())}, values.data());
}

void visit_weight(const std::string& name, const WeightMatrix& weight, const TensorVisitor& visit) {
  const Shape shape = {rows_of(weight), cols_of(weight)};
  if (const auto* matrix = std::get_if<Matrix>(&weight)) {
    visit(name, TensorType::float32, shape, matrix->values.data());
  } else if (const auto* half = std::get_if<Float16Matrix>(&weight)) {
    visit(name, TensorType::float16, shape, half->values.data());
  } else {
    const auto& quantized = std::get<Int8Matrix>(weight);
    visit(name, TensorType::int8, shape, quantized.values.data());
    visit_vector(name + ".scale", quantized.scales, visit);
  }
}

/// Every tensor of the file in its order.
void visit_tensors(const QuantizedModel& model, const TensorVisitor& visit) {
  for (std::size_t d = 0; d < model.day_biases.size(); ++d) {
    if (model.day_residuals.empty()) {
      visit_weight(fmt::format("day_weights.{}", d), model.day_weights[d], visit);
    } else {
      visit_weight(fmt::format("day_residuals.{}", d), model.day_residuals[d], visit);
    }
    visit_vector(fmt::format("day_biases.{}", d), model.day_biases[d], visit);
  }
  for (std::size_t k = 0; k < model.gru.size(); ++k) {
    visit_weight(fmt::format("gru.weight_ih_l{}", k), model.gru[k].weight_ih, visit);
    visit_weight(fmt::format("gru.weight_hh_l{}", k), model.gru[k].weight_hh, visit);
    visit_vector(fmt::format("gru.bias_ih_l{}", k), model.gru[k].bias_ih, visit);
    visit_vector(fmt::format("gru.bias_hh_l{}", k), model.gru[k].bias_hh, visit);
  }
  visit_weight("out.weight", model.out_weight, visit);
  visit_vector("out.bias", model.out_bias, visit);
  visit_vector("h0", model.h0, visit);
}

std::int64_t bytes_of(TensorType type, const Shape& shape) {
  std::int64_t count = static_cast<std::int64_t>(bytes_per_element(type));
  for (const std::int64_t size : shape) count *= size;
  return count;
}

PickleValue strings(const std::vector<std::string>& values) {
  return PickleValue::list(PickleValue::Items(values.begin(), values.end()));
}

PickleValue quantization_entry(const QuantizationOptions& options) {
  return PickleValue::dict({
      {"quantization_type", name_of(options.quantization_type)},
      {"dtype", name_of(options.dtype)},
      {"weight_granularity",
       options.dtype == Dtype::qint8 ? PickleValue(name_of(options.effective_granularity())) : PickleValue()},
      {"day_layers", name_of(options.day_layers)},
      {"observer", options.is_static() ? PickleValue(name_of(options.effective_observer())) : PickleValue()},
      {"calibration_samples", options.is_static() ? PickleValue(options.calibration_samples) : PickleValue()},
  });
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

PickleValue provenance_entry(const Provenance& provenance) {
  return PickleValue::dict({
      {"tool_version", provenance.tool_version},
      {"source_sha256", provenance.source_sha256},
      {"args_sha256", provenance.args_sha256},
      {"libtorch_version", text_or_none(provenance.libtorch_version)},
      {"val_per", provenance.val_per ? PickleValue(*provenance.val_per) : PickleValue()},
      {"calibration_trials", strings(provenance.calibration_trials)},
      {"calibration_sha256", text_or_none(provenance.calibration_sha256)},
  });
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

/// A name that one of the parse_* functions takes; a wrong one is the file's fault, not the user's.
template <typename Parse>
auto parsed(const PickleField& field, Parse parse) {
  try {
    return parse(field.as_string());
  } catch (const UsageError& error) {
    field.fail(error.what());
  }
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
  if (options.dtype == Dtype::float16) {
    if (found) field.fail(fmt::format("found '{}', expected None: FP16 weights have no scales", *found));
    return;
  }
  const std::string expected = name_of(options.effective_granularity());
  if (found != expected) {
    field.fail(fmt::format("found {}, expected '{}' of {}", found ? "'" + *found + "'" : "None", expected,
                           options.method_name()));
  }
}

QuantizationOptions read_options(const PickleField& field) {
  QuantizationOptions options;
  options.quantization_type = parsed(field.at("quantization_type"), parse_quantization_type);
  options.dtype = parsed(field.at("dtype"), parse_dtype);
  options.day_layers = parsed(field.at("day_layers"), parse_day_layers);
  if (options.is_static()) {
    options.observer = parsed(field.at("observer"), parse_observer);
    options.calibration_samples = field.at("calibration_samples").as_int(1, std::int64_t{1} << 40);
  } else if (options.dtype == Dtype::qint8) {
    options.weight_granularity = parsed(field.at("weight_granularity"), parse_granularity);
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
    field.fail(fmt::format("sizes that make {} parameters, expected at most {}", config.parameter_count(),
                           kMaxParameters));
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

Provenance read_provenance(const PickleField& field, int format_version) {
  Provenance provenance;
  provenance.tool_version = field.at("tool_version").as_string();
  provenance.source_sha256 = field.at("source_sha256").as_string();
  provenance.calibration_trials = read_strings(field.at("calibration_trials"));
  if (!is_none(field.at("val_per"))) provenance.val_per = field.at("val_per").as_double();
  if (format_version < 2) return provenance;
  provenance.args_sha256 = field.at("args_sha256").as_string();
  provenance.libtorch_version = read_text_or_none(field.at("libtorch_version"));
  provenance.calibration_sha256 = read_text_or_none(field.at("calibration_sha256"));
  return provenance;
}

QuantizedFileHead read_head(const PickleField& root) {
  if (!root.has("format") || root.at("format").as_string() != "brainquant") {
    root.fail("not a quantized model of this tool (a folder with checkpoint/best_checkpoint is the fp32 model)");
  }
  QuantizedFileHead head;
  head.format_version = static_cast<int>(root.at("format_version").as_int(1, kQuantizedFileVersion));
  head.options = read_options(root.at("quantization"));
  head.config = read_config(root.at("model"));
  if (head.format_version >= 2) {
    head.classes = read_classes(root.at("model").at("classes"), head.config.n_classes);
  }
  head.provenance = read_provenance(root.at("provenance"), head.format_version);
  return head;
}

/// Whether q * scale stays within kLargestMagnitude, up to what rounding a scale adds to weights or features that lie
/// at the limit.
bool is_usable_product(int q, float scale) {
  constexpr double kRounding = 1e-5;
  return static_cast<double>(q) * static_cast<double>(scale) <= kLargestMagnitude * (1 + kRounding);
}

/// Tensors of the file, each checked against its checksum and the shape that the configuration implies.
class TensorLoader {
 public:
  TensorLoader(const TorchArchiveReader& archive, int format_version)
      : archive_(archive),
        tensors_(archive.root_field().at("tensors")),
        checksums_(archive.root_field().at("checksums")) {
    if (format_version >= 2) formats_ = archive.root_field().at("formats");
  }

  std::vector<float> vector(const std::string& name, std::int64_t size) {
    const PickleField field = take(name, {size}, TensorType::float32);
    std::vector<float> values = verified(name, archive_.read_float32(field));
    require_usable(field, values);
    return values;
  }

  Matrix matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
    const PickleField field = take(name, {rows, cols}, TensorType::float32);
    Matrix result{rows, cols, verified(name, archive_.read_float32(field))};
    require_usable(field, result.values);
    return result;
  }

  WeightMatrix weight(const std::string& name, std::int64_t rows, std::int64_t cols,
                      const QuantizationOptions& options) {
    if (options.dtype == Dtype::float16) {
      const PickleField field = take(name, {rows, cols}, TensorType::float16);
      Float16Matrix half{rows, cols, verified(name, archive_.read_float16_bits(field))};
      const auto is_special = [](std::uint16_t bits) { return (bits & 0x7c00u) == 0x7c00u; };
      if (std::any_of(half.values.begin(), half.values.end(), is_special)) field.fail("NaN or infinity");
      return half;
    }
    const PickleField field = take(name, {rows, cols}, TensorType::int8);
    Int8Matrix quantized{rows, cols, verified(name, archive_.read_int8(field)), {}};
    if (std::find(quantized.values.begin(), quantized.values.end(), -128) != quantized.values.end()) {
      field.fail("found -128, expected values from -127 to 127");
    }
    quantized.scales = scales(name + ".scale", rows, options.effective_granularity());
    for (std::int64_t r = 0; r < rows; ++r) {
      const float own_scale = quantized.scale(r);
      if (!is_usable_product(127, own_scale) && !is_usable_product(largest_of(quantized, r), own_scale)) {
        field.fail(fmt::format("row {}: a weight's magnitude is above {:g}", r, kLargestMagnitude));
      }
    }
    return quantized;
  }

  void require_all_taken() const {
    require_count(tensors_, "tensors");
    if (formats_) require_count(*formats_, "number formats");
  }

 private:
  std::vector<float> scales(const std::string& name, std::int64_t rows, Granularity granularity) {
    const std::int64_t count = granularity == Granularity::per_tensor ? 1 : rows;
    const PickleField field = tensors_.at(name);
    if (field.as_tensor().shape != Shape{count}) {
      field.fail(fmt::format("found float32 [{}], expected float32 [{}]: the weights are {}",
                             fmt::join(field.as_tensor().shape, ", "), count, name_of(granularity)));
    }
    std::vector<float> values = vector(name, count);
    const auto is_positive = [](float s) { return s > 0; };
    if (!std::all_of(values.begin(), values.end(), is_positive)) field.fail("a scale is not above 0");
    return values;
  }

  static int largest_of(const Int8Matrix& weight, std::int64_t row) {
    int largest = 0;
    for (std::int64_t c = 0; c < weight.cols; ++c) largest = std::max(largest, std::abs(int{weight.row(row)[c]}));
    return largest;
  }

  void require_count(const PickleField& dict, const char* what) const {
    const std::size_t found = dict.entries().size();
    if (found != taken_) dict.fail(fmt::format("found {} {}, expected {}", found, what, taken_));
  }

  PickleField take(const std::string& name, const Shape& shape, TensorType type) {
    ++taken_;
    const PickleField field = tensors_.at(name);
    const PickleTensor& tensor = field.as_tensor();
    if (tensor.shape != shape || tensor.storage.type != type) {
      field.fail(fmt::format("found {} [{}], expected {} [{}]", name_of(tensor.storage.type),
                             fmt::join(tensor.shape, ", "), name_of(type), fmt::join(shape, ", ")));
    }
    if (formats_) {
      const PickleField format = formats_->at(name);
      if (format.as_string() != name_of(type)) {
        format.fail(fmt::format("found '{}', but the tensor is {}", format.as_string(), name_of(type)));
      }
    }
    return field;
  }

  template <typename T>
  std::vector<T> verified(const std::string& name, std::vector<T> values) const {
    const std::string found = sha256_of_bytes(values.data(), values.size() * sizeof(T));
    const PickleField expected = checksums_.at(name);
    if (found != expected.as_string()) {
      tensors_.at(name).fail(
          fmt::format("the tensor is damaged: found SHA-256 {}, expected {}", found, expected.as_string()));
    }
    return values;
  }

  static void require_usable(const PickleField& field, const std::vector<float>& values) {
    if (all_usable(values)) return;
    const auto finite = [](float v) { return std::isfinite(v); };
    if (!std::all_of(values.begin(), values.end(), finite)) field.fail("NaN or infinity");
    field.fail(fmt::format("a magnitude above {:g}", kLargestMagnitude));
  }

  const TorchArchiveReader& archive_;
  PickleField tensors_;
  PickleField checksums_;
  std::optional<PickleField> formats_;  // not in version 1
  std::size_t taken_ = 0;
};

/// Smallest activation scale whose inverse and products stay normal numbers.
constexpr double kSmallestScale = 0x1p-100;

float read_scale(const PickleField& field) {
  const double scale = field.as_double();
  if (!(scale >= kSmallestScale && scale <= kLargestMagnitude && is_usable_product(127, static_cast<float>(scale)))) {
    field.fail(fmt::format("found the scale {}, out of range", scale));
  }
  return static_cast<float>(scale);
}

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

}  // namespace

std::vector<StoredTensor> stored_tensors(const QuantizedModel& model) {
  std::vector<StoredTensor> tensors;
  visit_tensors(model, [&](const std::string& name, TensorType type, const Shape& shape, const void*) {
    tensors.push_back({name, name_of(type), shape, bytes_of(type, shape)});
  });
  return tensors;
}

void save_quantized_model(const QuantizedModel& model, const std::filesystem::path& path) {
  TorchArchiveWriter archive(path);
  PickleValue::Entries tensors;
  PickleValue::Entries formats;
  PickleValue::Entries checksums;
  visit_tensors(model, [&](const std::string& name, TensorType type, const Shape& shape, const void* data) {
    tensors.emplace_back(name, archive.add_tensor(type, shape, data));
    formats.emplace_back(name, name_of(type));
    checksums.emplace_back(name, sha256_of_bytes(data, static_cast<std::size_t>(bytes_of(type, shape))));
  });
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

namespace {

QuantizedModel read_model(const TorchArchiveReader& archive, QuantizedFileHead head, const RunContext& context) {
  const PickleField root = archive.root_field();
  QuantizedModel model;
  model.config = std::move(head.config);
  model.options = head.options;
  model.provenance = std::move(head.provenance);
  const DecoderConfig& config = model.config;
  TensorLoader load(archive, head.format_version);
  for (std::size_t d = 0; d < config.sessions.size(); ++d) {
    context.cancel.check();
    const std::int64_t features = config.n_input_features;
    if (model.options.day_layers == DayLayers::keep_float) {
      model.day_weights.push_back(load.matrix(fmt::format("day_weights.{}", d), features, features));
    } else {
      model.day_residuals.push_back(load.weight(fmt::format("day_residuals.{}", d), features, features, model.options));
    }
    model.day_biases.push_back(load.vector(fmt::format("day_biases.{}", d), features));
  }
  const std::int64_t gates = 3 * config.n_units;
  for (std::int64_t k = 0; k < config.n_layers; ++k) {
    context.cancel.check();
    const std::int64_t inputs = k == 0 ? config.step_input_size() : config.n_units;
    QuantizedGruLayer layer;
    layer.weight_ih = load.weight(fmt::format("gru.weight_ih_l{}", k), gates, inputs, model.options);
    layer.weight_hh = load.weight(fmt::format("gru.weight_hh_l{}", k), gates, config.n_units, model.options);
    layer.bias_ih = load.vector(fmt::format("gru.bias_ih_l{}", k), gates);
    layer.bias_hh = load.vector(fmt::format("gru.bias_hh_l{}", k), gates);
    model.gru.push_back(std::move(layer));
  }
  model.out_weight = load.weight("out.weight", config.n_classes, config.n_units, model.options);
  model.out_bias = load.vector("out.bias", config.n_classes);
  model.h0 = load.vector("h0", config.n_units);
  load.require_all_taken();
  if (model.options.is_static()) {
    model.activation_scales = read_activation_scales(root.at("activation_scales"), config.n_layers);
  }
  return model;
}

}  // namespace

QuantizedModel load_quantized_model(const std::filesystem::path& path, const RunContext& context) {
  const TorchArchiveReader archive(path, context);
  return read_model(archive, read_head(archive.root_field()), context);
}

LoadedQuantizedFile load_quantized_file(const std::filesystem::path& path, const RunContext& context) {
  const TorchArchiveReader archive(path, context);
  QuantizedFileHead head = read_head(archive.root_field());
  LoadedQuantizedFile loaded;
  loaded.format_version = head.format_version;
  loaded.model = read_model(archive, std::move(head), context);
  loaded.sha256 = archive.file_sha256();
  loaded.bytes = static_cast<std::int64_t>(archive.file_bytes());
  archive.require_unchanged();
  return loaded;
}

}  // namespace brainquant
