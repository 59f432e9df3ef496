// Activation scales for the static methods, from trials of the train files.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "brainquant/model/checkpoint.h"
#include "brainquant/model/dataset.h"
#include "brainquant/quantization/quantized_model.h"
#include "brainquant/support/run_context.h"

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
};

/// Runs the fp32 decoder over trials of `train` (smoothed as in evaluation), spread evenly over its sessions in a fixed
/// order. Throws what reading throws, WorkError when no trial has a step or an activation is not finite (naming the
/// trial): nothing is swallowed.
CalibrationResult calibrate(const Checkpoint& checkpoint, Dataset& train, const CalibrationOptions& options,
                            const RunContext& context = {});

/// The trials that calibrate() uses: session by session in turn, each session's evenly spaced over its trials.
std::vector<std::size_t> choose_calibration_trials(const Dataset& train, std::int64_t samples);

}  // namespace brainquant
