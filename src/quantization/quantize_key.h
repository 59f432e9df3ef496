// What decides a quantized file's bytes, and so whether one that is there already is taken for finished.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "brainquant/quantization/quantize_job.h"
#include "brainquant/support/run_context.h"
#include "brainquant/support/run_key.h"
#include "quantization/calibration_backend.h"
#include "quantization/quantized_model.h"

namespace brainquant {

/// What was made of what: checkpoint_sha256, args_sha256 and, for a quantized model, every option that decides it, as
/// what it comes to: a default and the same value spelled out are one, and what has no meaning for the type is empty.
RunKey model_key(const std::string& checkpoint_sha256, const std::string& args_sha256,
                 const std::optional<QuantizationOptions>& quantization);

/// The key of what made a model: model_key(), tool_version and, where there is calibration, libtorch_version (which it
/// runs in) and calibration_sha256 (of the calibration features as read). Not to be relied on for a file of format
/// version 1, which does not hold all of it.
RunKey quantize_key(const QuantizedModel& model);

/// The key of what a job would make. Hashes the checkpoint and, where there is calibration, reads and hashes its
/// trials; nothing is quantized. Throws UsageError, FileError, FormatError, Interrupted.
RunKey quantize_key(const QuantizeJob& job, const CalibrationBackend& backend, const RunContext& context = {});

/// Why `file` is not what `job` would make, as what is said of it ("is not there", "was made otherwise: ..."); nothing
/// if it is. The calibration trials are read only if nothing else differs. Throws what quantize_key throws for a job.
std::optional<std::string> difference_from_file(const QuantizeJob& job, const std::filesystem::path& file,
                                                const CalibrationBackend& backend, const RunContext& context = {});

}  // namespace brainquant
