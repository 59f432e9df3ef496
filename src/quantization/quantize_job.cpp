#include "brainquant/quantization/quantize_job.h"

#include <fmt/format.h>

#include <optional>

#include "brainquant/quantization/calibration.h"
#include "brainquant/support/atomic_file.h"
#include "brainquant/support/error.h"
#include "brainquant/version.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kBytesPerFloat = 4;
constexpr std::size_t kMostYamlBytes = std::size_t{64} << 20;

fs::path args_path_of(const fs::path& output) { return output.parent_path() / "args.yaml"; }

DatasetOptions calibration_data(const QuantizeJob& job) {
  DatasetOptions data;
  data.data_dir = job.data_dir;
  data.csv_path = job.csv_path;
  data.split = Split::train;
  return data;
}

// What the options come to, so that a default and the same value spelled out are one.
bool same_options(const QuantizationOptions& a, const QuantizationOptions& b) {
  const bool same = a.quantization_type == b.quantization_type && a.dtype == b.dtype && a.day_layers == b.day_layers;
  if (!same || a.dtype == Dtype::float16) return same;
  return a.effective_granularity() == b.effective_granularity() &&
         (!a.is_static() || a.effective_observer() == b.effective_observer());
}

std::vector<std::string> trials_to_calibrate_with(const QuantizeJob& job, const DecoderConfig& config,
                                                  const RunContext& context) {
  if (!job.options.is_static()) return {};
  const Dataset train(config, calibration_data(job), context);
  std::vector<std::string> labels;
  for (const std::size_t index : choose_calibration_trials(train, job.options.calibration_samples)) {
    labels.push_back(train.label(index));
  }
  return labels;
}

// Why the file at output_path is not what this job would write, or nothing if it is.
std::optional<std::string> difference_from(const QuantizeJob& job, const RunContext& context) {
  try {
    const QuantizedModel there = load_quantized_model(job.output_path, context);
    if (there.provenance.tool_version != kVersion) return "was made by version " + there.provenance.tool_version;
    if (!same_options(there.options, job.options)) return "was made with other options";
    if (there.provenance.source_sha256 != checkpoint_sha256(job.model_path)) return "was made from another checkpoint";
    if (there.provenance.calibration_trials != trials_to_calibrate_with(job, there.config, context)) {
      return "was calibrated with other trials";
    }
    return {};
  } catch (const FormatError&) {
    return "is not a valid quantized file";
  }
}

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
    throw FileError(path.string(), "another model's args.yaml is there; --force overwrites it");
  }
  write_file_atomically(path, text);
}

ActivationScales placeholder_scales(const DecoderConfig& config) {
  ActivationScales scales;
  scales.hidden.assign(static_cast<std::size_t>(config.n_layers), 1.0f);
  return scales;
}

QuantizedModel quantize_as_asked(const QuantizeJob& job, const Checkpoint& checkpoint, const RunContext& context) {
  if (!job.options.is_static()) return quantize(checkpoint, job.options);
  // The sizes of a dry run do not depend on the scales' values.
  if (job.dry_run) return quantize(checkpoint, job.options, placeholder_scales(checkpoint.config));
  Dataset train(checkpoint.config, calibration_data(job), context);
  CalibrationOptions calibration;
  calibration.observer = job.options.effective_observer();
  calibration.samples = job.options.calibration_samples;
  calibration.batch_size = job.calibration_batch_size;
  calibration.threads = job.threads;
  CalibrationResult calibrated = calibrate(checkpoint, train, calibration, context);
  return quantize(checkpoint, job.options, std::move(calibrated.scales), std::move(calibrated.trials));
}

}  // namespace

void QuantizeJob::validate() const {
  options.validate();
  if (output_path.empty()) throw UsageError("--output_path must name a file");
  if (calibration_batch_size < 1) {
    throw UsageError(fmt::format("--calibration_batch_size: found {}, expected at least 1", calibration_batch_size));
  }
  if (threads < 1) throw UsageError(fmt::format("--threads: found {}, expected at least 1", threads));
}

QuantizeOutcome run_quantize_job(const QuantizeJob& job, const RunContext& context) {
  job.validate();
  if (!is_checkpoint_folder(job.model_path)) {
    throw FileError(job.model_path.string(), "no checkpoint folder (checkpoint/best_checkpoint) there");
  }
  if (fs::is_directory(job.output_path)) {
    throw FileError(job.output_path.string(), "is a folder, a file is to be written there");
  }
  QuantizeOutcome outcome;
  if (fs::exists(job.output_path) && !job.force && !job.dry_run) {
    if (const std::optional<std::string> difference = difference_from(job, context)) {
      throw FileError(job.output_path.string(),
                      fmt::format("is there already and {}; --force overwrites it", *difference));
    }
    if (!fs::exists(args_path_of(job.output_path)))
      save_args_yaml(job, load_checkpoint(job.model_path, context).args_yaml);
    outcome.skipped = true;
    outcome.output_bytes = static_cast<std::int64_t>(fs::file_size(job.output_path));
    return outcome;
  }
  const Checkpoint checkpoint = load_checkpoint(job.model_path, context);
  refuse_to_overwrite_source(job, checkpoint);
  outcome.parameters = checkpoint.config.parameter_count();
  outcome.fp32_bytes = kBytesPerFloat * outcome.parameters;
  outcome.checkpoint_bytes = static_cast<std::int64_t>(fs::file_size(checkpoint.weights_path));
  const QuantizedModel model = quantize_as_asked(job, checkpoint, context);
  context.cancel.check();
  outcome.calibration_trials = static_cast<std::int64_t>(model.provenance.calibration_trials.size());
  outcome.tensors = report_tensors(checkpoint, model);
  outcome.stored = stored_tensors(model);
  if (job.dry_run) {
    for (const StoredTensor& tensor : outcome.stored) outcome.output_bytes += tensor.bytes;
    return outcome;
  }
  // The description first: a quantized file is never there without its args.yaml.
  save_args_yaml(job, checkpoint.args_yaml);
  save_quantized_model(model, job.output_path);
  outcome.output_bytes = static_cast<std::int64_t>(fs::file_size(job.output_path));
  return outcome;
}

}  // namespace brainquant
