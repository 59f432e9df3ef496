// Activation scales for the static methods, from trials of the train files.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "brainquant/model/checkpoint.h"
#include "brainquant/model/dataset.h"
#include "brainquant/quantization/calibration_backend.h"
#include "brainquant/quantization/quantized_model.h"
#include "brainquant/support/run_context.h"
#include "brainquant/support/sha256.h"

namespace brainquant {

/// Collects the magnitudes of one activation tensor and proposes its scale. Independent of the order of what it is
/// shown, and of how it is spread over observers that are merged.
class Observer {
 public:
  explicit Observer(ObserverKind kind) : kind_(kind) {}
  /// Throws WorkError if a value is NaN or infinite.
  void observe(std::span<const float> values);
  void merge(const Observer& other);
  /// minmax: max|x| / 127. percentile: the magnitude that 99.99 % of the values do not exceed, / 127.
  /// histogram: the scale whose quantization error, summed over the histogram, is least. 1 if only zeros were seen.
  float scale() const;

 private:
  ObserverKind kind_;
  float maximum_ = 0;
  int exponent_ = 0;                   // bins cover magnitudes below 2^exponent_
  std::vector<std::uint64_t> counts_;  // kBins equal bins, once anything was seen
};

struct CalibrationOptions {
  ObserverKind observer = ObserverKind::minmax;
  std::int64_t samples = 1000;   // trials; all that there are if fewer, and said so
  std::int64_t batch_size = 32;  // trials held in memory at once; does not change the result
  int threads = 1;               // does not change the result
};

struct CalibrationResult {
  ActivationScales scales;
  std::vector<std::string> trials;
  std::string sha256;            // calibration_sha256() of these trials
  std::string libtorch_version;  // CalibrationBackend::libtorch_version()
};

/// Runs the fp32 decoder over trials of `train` (smoothed as in evaluation), spread evenly over its sessions in a fixed
/// order. Throws what reading throws, WorkError when no trial has a step or an activation is not finite (naming the
/// trial): nothing is swallowed.
CalibrationResult calibrate(const Checkpoint& checkpoint, Dataset& train, const CalibrationOptions& options,
                            const CalibrationBackend& backend, const RunContext& context = {});

/// The trials that calibrate() uses: session by session in turn, each session's evenly spaced over its trials.
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
