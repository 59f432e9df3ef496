// What a job makes of its checkpoint, in memory: calibration and quantization.
#pragma once

#include "brainquant/quantization/quantize_job.h"
#include "brainquant/support/run_context.h"
#include "model/checkpoint.h"
#include "quantization/calibration_backend.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// `checkpoint` is the job's. With dry_run nothing is calibrated: sizes are right, values are not. Throws UsageError
/// (a rule of --bits that matches nothing) and what Dataset, calibrate() and quantize() throw.
QuantizedModel quantize_checkpoint(const QuantizeJob& job, const Checkpoint& checkpoint,
                                   const CalibrationBackend& backend, const RunContext& context = {});

}  // namespace brainquant
