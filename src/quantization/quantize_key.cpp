#include "brainquant/quantization/quantize_key.h"

#include <fmt/format.h>

#include <utility>

#include "brainquant/model/checkpoint.h"
#include "brainquant/model/libtorch_environment.h"
#include "brainquant/quantization/calibration.h"
#include "brainquant/quantization/quantized_file.h"
#include "brainquant/support/error.h"
#include "brainquant/version.h"

namespace brainquant {

namespace {

void set_options(QuantizeKey& key, const QuantizationOptions& options) {
  key.quantization_type = name_of(options.quantization_type);
  key.dtype = name_of(options.dtype);
  if (options.dtype == Dtype::qint8) key.weight_granularity = name_of(options.effective_granularity());
  key.day_layers = name_of(options.day_layers);
  if (!options.is_static()) return;
  key.observer = name_of(options.effective_observer());
  key.calibration_samples = options.calibration_samples;
}

/// All but the hash of the calibration trials' features, which have to be read for it.
QuantizeKey key_without_calibration(const QuantizeJob& job, const CheckpointArgs& args) {
  QuantizeKey key;
  key.tool_version = kVersion;
  key.source_sha256 = checkpoint_sha256(job.model_path);
  key.args_sha256 = args.sha256;
  set_options(key, job.options);
  if (job.options.is_static()) key.libtorch_version = libtorch_version();
  return key;
}

std::string calibration_sha256_of(const QuantizeJob& job, const CheckpointArgs& args, const RunContext& context) {
  if (!job.options.is_static()) return {};
  Dataset train(args.config, job.calibration_data(), context);
  return calibration_sha256(train, job.options.calibration_samples, context);
}

std::optional<std::string> as_reason(std::optional<std::string> difference) {
  if (difference) difference = "was made otherwise: " + *difference;
  return difference;
}

}  // namespace

std::optional<std::string> QuantizeKey::difference(const QuantizeKey& other) const {
  const auto samples = [](const QuantizeKey& key) {
    return key.calibration_samples ? std::to_string(*key.calibration_samples) : std::string();
  };
  const struct {
    const char* what;
    const std::string was;
    const std::string is;
  } fields[] = {
      {"the tool's version", tool_version, other.tool_version},
      {"best_checkpoint's SHA-256", source_sha256, other.source_sha256},
      {"args.yaml's SHA-256", args_sha256, other.args_sha256},
      {"quantization_type", quantization_type, other.quantization_type},
      {"dtype", dtype, other.dtype},
      {"weight_granularity", weight_granularity, other.weight_granularity},
      {"day_layers", day_layers, other.day_layers},
      {"observer", observer, other.observer},
      {"calibration_samples", samples(*this), samples(other)},
      {"LibTorch's version", libtorch_version, other.libtorch_version},
      {"the calibration data's SHA-256", calibration_sha256, other.calibration_sha256},
  };
  const auto text = [](const std::string& value) { return value.empty() ? "none" : value; };
  for (const auto& field : fields) {
    if (field.was != field.is) return fmt::format("{} was {}, is {}", field.what, text(field.was), text(field.is));
  }
  return {};
}

QuantizeKey key_of(const QuantizedModel& model) {
  const Provenance& provenance = model.provenance;
  QuantizeKey key;
  key.tool_version = provenance.tool_version;
  key.source_sha256 = provenance.source_sha256;
  key.args_sha256 = provenance.args_sha256;
  set_options(key, model.options);
  key.libtorch_version = provenance.libtorch_version.value_or("");
  key.calibration_sha256 = provenance.calibration_sha256.value_or("");
  return key;
}

QuantizeKey key_of(const QuantizeJob& job, const RunContext& context) {
  job.validate();
  const CheckpointArgs args = read_checkpoint_args(job.model_path);
  QuantizeKey key = key_without_calibration(job, args);
  key.calibration_sha256 = calibration_sha256_of(job, args, context);
  return key;
}

std::optional<std::string> difference_from_file(const QuantizeJob& job, const std::filesystem::path& file,
                                                const RunContext& context) {
  job.validate();
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return "is not there";
  LoadedQuantizedFile loaded;
  try {
    loaded = load_quantized_file(file, context);
  } catch (const FormatError&) {
    return "is not a valid quantized file";
  }
  if (loaded.format_version < 2) {
    return fmt::format("was made by version {} in file format {}, which does not say all that it was made from",
                       loaded.model.provenance.tool_version, loaded.format_version);
  }
  const QuantizeKey found = key_of(loaded.model);
  const CheckpointArgs args = read_checkpoint_args(job.model_path);
  QuantizeKey wanted = key_without_calibration(job, args);
  wanted.calibration_sha256 = found.calibration_sha256;
  if (const std::optional<std::string> difference = found.difference(wanted)) return as_reason(difference);
  wanted.calibration_sha256 = calibration_sha256_of(job, args, context);
  return as_reason(found.difference(wanted));
}

}  // namespace brainquant
