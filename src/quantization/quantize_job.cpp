#include "brainquant/quantization/quantize_job.h"

#include <fmt/format.h>

#include <optional>

#include "brainquant/support/error.h"
#include "model/checkpoint.h"
#include "model/dataset.h"
#include "model/smoothing.h"
#include "quantization/bits_rule.h"
#include "quantization/calibration.h"
#include "quantization/quantize_key.h"
#include "quantization/quantized_file.h"
#include "quantization/quantizer.h"
#include "quantization/report_tensors.h"
#include "quantization/weight_format.h"
#include "support/atomic_file.h"
#include "support/cores.h"
#include "support/run_lock.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostYamlBytes = std::size_t{64} << 20;

fs::path args_path_of(const fs::path& output) { return output.parent_path() / kArgsFileName; }

void refuse_to_overwrite_source(const QuantizeJob& job, const Checkpoint& checkpoint) {
  std::error_code ignored;
  for (const fs::path& source : {checkpoint.weights_path, checkpoint.args_path}) {
    if (fs::equivalent(job.output_path, source, ignored)) {
      throw UsageError(fmt::format("--output_path {} is the checkpoint itself", job.output_path.string()));
    }
  }
}

void save_args_yaml(const QuantizeJob& job, const std::string& text) {
  const fs::path path = args_path_of(job.output_path);
  std::error_code ignored;
  if (fs::exists(path, ignored) && !job.force && read_file(path, kMostYamlBytes) != text) {
    throw FileError(path.string(), "another model's args.yaml already exists; --force replaces it");
  }
  write_file_atomically(path, text);
}

ActivationScales placeholder_scales(const DecoderConfig& config) {
  ActivationScales scales;
  scales.hidden.assign(static_cast<std::size_t>(config.n_layers), 1.0f);
  return scales;
}

/// Of the same sizes, which depend neither on the scales' values nor on how weights are rounded.
QuantizedModel uncalibrated(const QuantizeJob& job, const Checkpoint& checkpoint, const RunContext& context) {
  QuantizationOptions options = job.options;
  if (options.uses_gptq()) options.weight_rounding = WeightRounding::nearest;
  std::optional<ActivationScales> scales;
  if (options.is_static()) scales = placeholder_scales(checkpoint.config);
  return quantize(checkpoint, options, std::move(scales), {}, {}, {}, {}, context);
}

QuantizedModel quantize_as_asked(const QuantizeJob& job, const Checkpoint& checkpoint,
                                 const CalibrationBackend& backend, const RunContext& context) {
  require_rules_to_match(job.options, checkpoint.weights);
  if (!job.options.needs_calibration()) return quantize(checkpoint, job.options, {}, {}, {}, {}, {}, context);
  if (job.dry_run) return uncalibrated(job, checkpoint, context);
  warn_if_unsmoothed(checkpoint.config, context);
  Dataset train(checkpoint.config, job.calibration_data(), context);
  CalibrationOptions calibration;
  calibration.observer = job.options.effective_observer();
  calibration.samples = job.options.calibration_trials();
  calibration.batch_size = job.calibration_batch_size;
  calibration.threads = job.threads;
  calibration.gptq_samples = job.options.uses_gptq() ? job.options.gptq_samples : 0;
  calibration.for_gptq = [&job](const std::string& name) {
    const bool is_quantized = job.options.day_layers == DayLayers::quantize || !name.starts_with("day_residuals.");
    return is_quantized && format_of(job.options, name) == WeightFormat::int4;
  };
  CalibrationResult calibrated = calibrate(checkpoint, train, calibration, backend, context);
  std::optional<ActivationScales> scales;
  if (job.options.is_static()) scales = std::move(calibrated.scales);
  return quantize(checkpoint, job.options, std::move(scales), std::move(calibrated.trials),
                  std::move(calibrated.sha256), std::move(calibrated.libtorch_version), std::move(calibrated.hessians),
                  context);
}

}  // namespace

void QuantizeJob::validate() const {
  options.validate();
  if (output_path.empty()) throw UsageError("--output_path must name a file");
  if (calibration_batch_size < 1) {
    throw UsageError(fmt::format("--calibration_batch_size: found {}, expected at least 1", calibration_batch_size));
  }
  validate_threads(threads);
}

DatasetOptions QuantizeJob::calibration_data() const {
  DatasetOptions data;
  data.data_dir = data_dir;
  data.csv_path = csv_path;
  data.split = Split::train;
  return data;
}

QuantizeOutcome run_quantize_job(const QuantizeJob& job, const CalibrationBackend& backend, const RunContext& context) {
  job.validate();
  if (!is_checkpoint_folder(job.model_path)) {
    throw FileError(job.model_path.string(), "no checkpoint folder (checkpoint/best_checkpoint) there");
  }
  // A stream has no neighbours: neither a lock nor an args.yaml lies beside it.
  const bool to_stream = output_kind(job.output_path) == OutputKind::stream;
  std::optional<RunLock> lock;
  if (!job.dry_run && !to_stream) {
    // Of two jobs for one output, the second finds what the first has made.
    lock.emplace(job.output_path.string() + ".lock", job.output_path.string(), WhenLocked::wait, context);
  }
  QuantizeOutcome outcome;
  if (output_kind(job.output_path) == OutputKind::regular_file && !job.force && !job.dry_run) {
    if (const std::optional<std::string> difference = difference_from_file(job, job.output_path, backend, context)) {
      throw FileError(job.output_path.string(), fmt::format("already exists and {}; --force replaces it", *difference));
    }
    if (!fs::exists(args_path_of(job.output_path))) save_args_yaml(job, read_checkpoint_args(job.model_path).text);
    outcome.skipped = true;
    outcome.output_bytes = static_cast<std::int64_t>(fs::file_size(job.output_path));
    return outcome;
  }
  const Checkpoint checkpoint = load_checkpoint(job.model_path, context);
  refuse_to_overwrite_source(job, checkpoint);
  outcome.parameters = checkpoint.config.parameter_count();
  outcome.fp32_bytes = checkpoint.config.fp32_bytes();
  outcome.checkpoint_bytes = static_cast<std::int64_t>(fs::file_size(checkpoint.weights_path));
  const QuantizedModel model = quantize_as_asked(job, checkpoint, backend, context);
  context.cancel.check();
  outcome.calibration_trials = static_cast<std::int64_t>(model.provenance.calibration_trials.size());
  outcome.tensors = report_tensors(checkpoint, model);
  outcome.stored = stored_tensors(model);
  for (const StoredTensor& tensor : outcome.stored) outcome.output_bytes += tensor.bytes;
  if (job.dry_run) return outcome;
  // The description first: a quantized file is never there without its args.yaml.
  if (!to_stream) save_args_yaml(job, checkpoint.args_yaml);
  save_quantized_model(model, job.output_path);
  if (!to_stream) outcome.output_bytes = static_cast<std::int64_t>(fs::file_size(job.output_path));
  return outcome;
}

}  // namespace brainquant
