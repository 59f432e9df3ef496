// Watches an activation tensor and chooses its scale.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "brainquant/quantization/scheme.h"

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

}  // namespace brainquant
