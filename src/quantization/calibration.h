// Activation scales for the static methods and Hessians for GPTQ, from trials of the train files.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "brainquant/support/run_context.h"
#include "model/checkpoint.h"
#include "model/dataset.h"
#include "quantization/calibration_backend.h"
#include "quantization/quantized_model.h"
#include "support/sha256.h"

namespace brainquant {

struct CalibrationOptions {
  ObserverKind observer = ObserverKind::minmax;
  std::int64_t samples = 1000;   // trials; all that there are if fewer, and said so
  std::int64_t batch_size = 32;  // trials held in memory at once; does not change the result
  int threads = 0;               // 0: all cores that this process may use; does not change the result
  /// Trials whose inputs to the weight matrices make the Hessians, evenly spaced over those that calibrate; 0: none.
  std::int64_t gptq_samples = 0;
  /// Whether GPTQ rounds the matrix of this name in the quantized file.
  std::function<bool(const std::string& name)> for_gptq = [](const std::string&) { return true; };
};

struct CalibrationResult {
  ActivationScales scales;
  std::vector<std::string> trials;
  std::string sha256;            // calibration_sha256() of these trials
  std::string libtorch_version;  // CalibrationBackend::libtorch_version()
  InputHessians hessians;        // with gptq_samples
};

/// Runs the fp32 decoder over trials of `train` (smoothed as in evaluation), spread evenly over its sessions in a fixed
/// order. Throws what reading throws, WorkError when no trial has a step or an activation is not finite (naming the
/// trial): nothing is swallowed.
CalibrationResult calibrate(const Checkpoint& checkpoint, Dataset& train, const CalibrationOptions& options,
                            const CalibrationBackend& backend, const RunContext& context = {});

/// The trials that calibrate() uses: spread_over_sessions() of all.
std::vector<std::size_t> choose_calibration_trials(const Dataset& train, std::int64_t samples);

/// What calibration reads, as one number: SHA-256 over the trials in their order, of each its label ("session/trial"),
/// a 0 byte, its bins and n_input_features as little-endian int64, and its features as recorded, little-endian float32.
class CalibrationHash {
 public:
  explicit CalibrationHash(std::int64_t n_input_features) : n_input_features_(n_input_features) {}
  void add(const Trial& trial);
  /// Nothing can be added after it.
  std::string hex() { return hash_.hex(); }

 private:
  std::int64_t n_input_features_;
  Sha256 hash_;
};

/// The CalibrationHash of the trials that calibrate() would use, which are read for it. Throws what reading throws.
std::string calibration_sha256(Dataset& train, std::int64_t samples, const RunContext& context = {});

}  // namespace brainquant
