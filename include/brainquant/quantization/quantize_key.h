// What decides a quantized file's bytes, and so whether one that is there already is taken for finished.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "brainquant/quantization/quantize_job.h"
#include "brainquant/quantization/quantized_model.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// Options are what they come to, so that a default and the same value spelled out are one. What has no meaning for the
/// type is empty.
struct QuantizeKey {
  std::string tool_version;
  std::string source_sha256;  // of best_checkpoint
  std::string args_sha256;    // of args.yaml
  std::string quantization_type;
  std::string dtype;
  std::string weight_granularity;  // INT8
  std::string day_layers;
  // Static types:
  std::string observer;
  std::optional<std::int64_t> calibration_samples;
  std::string libtorch_version;    // calibration runs in LibTorch
  std::string calibration_sha256;  // of the calibration features as read: CalibrationHash

  /// Nothing if `other` is the same, else the first field that is not: "the observer was minmax, is percentile".
  std::optional<std::string> difference(const QuantizeKey& other) const;
};

/// The key of what made a model. Not to be relied on for a file of format version 1, which does not hold all of it.
QuantizeKey key_of(const QuantizedModel& model);

/// The key of what a job would make. Hashes the checkpoint and, for static types, reads and hashes the calibration
/// trials; nothing is quantized. Throws UsageError, FileError, FormatError, Interrupted.
QuantizeKey key_of(const QuantizeJob& job, const RunContext& context = {});

/// Why `file` is not what `job` would make, as what is said of it ("is not there", "was made otherwise: ..."); nothing
/// if it is. The calibration trials are read only if nothing else differs. Throws what key_of throws for a job.
std::optional<std::string> difference_from_file(const QuantizeJob& job, const std::filesystem::path& file,
                                                const RunContext& context = {});

}  // namespace brainquant
