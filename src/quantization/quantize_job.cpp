#include "brainquant/quantization/quantize_job.h"

#include <fmt/format.h>

#include <optional>

#include "brainquant/support/error.h"
#include "model/checkpoint.h"
#include "quantization/args_beside.h"
#include "quantization/quantize_checkpoint.h"
#include "quantization/quantize_key.h"
#include "quantization/quantized_file.h"
#include "quantization/report_tensors.h"
#include "support/atomic_file.h"
#include "support/cores.h"
#include "support/run_lock.h"

namespace brainquant {

namespace fs = std::filesystem;

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
  require_checkpoint_folder(job.model_path);
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
    if (!fs::exists(args_path_of(job.output_path)))
      save_args_yaml(job.output_path, read_checkpoint_args(job.model_path).text, job.force);
    outcome.skipped = true;
    outcome.output_bytes = static_cast<std::int64_t>(fs::file_size(job.output_path));
    return outcome;
  }
  const Checkpoint checkpoint = load_checkpoint(job.model_path, context);
  refuse_to_overwrite_source(job.output_path, checkpoint);
  outcome.parameters = checkpoint.config.parameter_count();
  outcome.fp32_bytes = checkpoint.config.fp32_bytes();
  outcome.checkpoint_bytes = static_cast<std::int64_t>(fs::file_size(checkpoint.weights_path));
  const QuantizedModel model = quantize_checkpoint(job, checkpoint, backend, context);
  context.cancel.check();
  outcome.calibration_trials = static_cast<std::int64_t>(model.provenance.calibration_trials.size());
  outcome.tensors = report_tensors(checkpoint, model);
  outcome.stored = stored_tensors(model);
  for (const StoredTensor& tensor : outcome.stored) outcome.output_bytes += tensor.bytes;
  if (job.dry_run) return outcome;
  // The description first: a quantized file is never there without its args.yaml.
  if (!to_stream) save_args_yaml(job.output_path, checkpoint.args_yaml, job.force);
  save_quantized_model(model, job.output_path);
  if (!to_stream) outcome.output_bytes = static_cast<std::int64_t>(fs::file_size(job.output_path));
  return outcome;
}

}  // namespace brainquant
