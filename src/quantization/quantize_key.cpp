#include "quantization/quantize_key.h"

#include <fmt/format.h>

#include <utility>

#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "model/checkpoint.h"
#include "quantization/calibration.h"
#include "quantization/quantized_file.h"

namespace brainquant {

namespace {

constexpr const char* kCalibrationField = "calibration_sha256";

/// All but the hash of the calibration trials' features, which have to be read for it.
RunKey key_without_calibration(const QuantizeJob& job, const CheckpointArgs& args, const CalibrationBackend& backend) {
  RunKey key;
  key.set("tool_version", kVersion);
  key.add(model_key(checkpoint_sha256(job.model_path), args.sha256, job.options));
  key.set("libtorch_version", job.options.needs_calibration() ? backend.libtorch_version() : "");
  return key;
}

std::string calibration_sha256_of(const QuantizeJob& job, const CheckpointArgs& args, const RunContext& context) {
  if (!job.options.needs_calibration()) return {};
  Dataset train(args.config, job.calibration_data(), context);
  return calibration_sha256(train, job.options.calibration_trials(), context);
}

std::optional<std::string> as_reason(std::optional<std::string> difference) {
  if (difference) difference = "was made otherwise: " + *difference;
  return difference;
}

}  // namespace

RunKey model_key(const std::string& checkpoint_sha256, const std::string& args_sha256,
                 const std::optional<QuantizationOptions>& quantization) {
  RunKey key;
  key.set("checkpoint_sha256", checkpoint_sha256);
  key.set("args_sha256", args_sha256);
  if (!quantization) return key;
  QuantizationOptions options = *quantization;
  for (const auto& [name, value] : list_options(options).values_that_decide(Decides::model)) {
    key.set(name, text_of(value));
  }
  return key;
}

RunKey quantize_key(const QuantizedModel& model) {
  const Provenance& provenance = model.provenance;
  RunKey key;
  key.set("tool_version", provenance.tool_version);
  key.add(model_key(provenance.source_sha256, provenance.args_sha256, model.options));
  key.set("libtorch_version", provenance.libtorch_version.value_or(""));
  key.set(kCalibrationField, provenance.calibration_sha256.value_or(""));
  for (const AddedSession& added : provenance.added_sessions) {
    // No job makes such a file.
    key.set("added_session " + added.session, added.source_sha256);
  }
  return key;
}

RunKey quantize_key(const QuantizeJob& job, const CalibrationBackend& backend, const RunContext& context) {
  job.validate();
  const CheckpointArgs args = read_checkpoint_args(job.model_path);
  RunKey key = key_without_calibration(job, args, backend);
  key.set(kCalibrationField, calibration_sha256_of(job, args, context));
  return key;
}

std::optional<std::string> difference_from_file(const QuantizeJob& job, const std::filesystem::path& file,
                                                const CalibrationBackend& backend, const RunContext& context) {
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
  const RunKey found = quantize_key(loaded.model);
  const CheckpointArgs args = read_checkpoint_args(job.model_path);
  RunKey wanted = key_without_calibration(job, args, backend);
  wanted.set(kCalibrationField, found.value(kCalibrationField));
  if (const std::optional<std::string> difference = wanted.difference(found)) return as_reason(difference);
  wanted.set(kCalibrationField, calibration_sha256_of(job, args, context));
  return as_reason(wanted.difference(found));
}

}  // namespace brainquant
