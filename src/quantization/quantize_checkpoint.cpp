#include "quantization/quantize_checkpoint.h"

#include <optional>

#include "model/dataset.h"
#include "model/smoothing.h"
#include "quantization/bits_rule.h"
#include "quantization/calibration.h"
#include "quantization/quantizer.h"

namespace brainquant {

namespace {

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

}  // namespace

QuantizedModel quantize_checkpoint(const QuantizeJob& job, const Checkpoint& checkpoint,
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
    return job.options.day_layers == DayLayers::quantize || !name.starts_with("day_residuals.");
  };
  CalibrationResult calibrated = calibrate(checkpoint, train, calibration, backend, context);
  std::optional<ActivationScales> scales;
  if (job.options.is_static()) scales = std::move(calibrated.scales);
  return quantize(checkpoint, job.options, std::move(scales), std::move(calibrated.trials),
                  std::move(calibrated.sha256), std::move(calibrated.libtorch_version), std::move(calibrated.hessians),
                  context);
}

}  // namespace brainquant
