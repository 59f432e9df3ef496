#include "quantization/observer.h"

#include <algorithm>
#include <cmath>

#include "brainquant/support/error.h"

namespace brainquant {

namespace {

constexpr std::size_t kBins = 8192;
constexpr int kCandidates = 256;        // scales that the histogram observer tries
constexpr double kPercentile = 0.9999;  // of the values
constexpr float kInt8Max = 127.0f;
/// Where counting begins: coarser only where the values ask for it, so that the bins depend on the largest of all
/// values and not on which came first; and fine enough for every scale that scale() gives.
constexpr int kFinestExponent = -100;

/// Halves the resolution: pairs of bins become one, and the range doubles.
void coarsen(std::vector<std::uint64_t>& counts) {
  for (std::size_t i = 0; i < kBins / 2; ++i) counts[i] = counts[2 * i] + counts[2 * i + 1];
  std::fill(counts.begin() + kBins / 2, counts.end(), 0);
}

double squared_error(const std::vector<std::uint64_t>& counts, double bin_width, double scale) {
  double error = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const double center = (static_cast<double>(i) + 0.5) * bin_width;
    const double stored = std::min(std::nearbyint(center / scale), 127.0) * scale;
    error += static_cast<double>(counts[i]) * (center - stored) * (center - stored);
  }
  return error;
}

}  // namespace

void Observer::observe(std::span<const float> values) {
  if (values.empty()) return;
  float maximum = 0;
  for (const float v : values) {
    if (!std::isfinite(v)) throw WorkError("calibration: an activation is NaN or infinite");
    maximum = std::max(maximum, std::fabs(v));
  }
  maximum_ = std::max(maximum_, maximum);
  if (kind_ == ObserverKind::minmax) return;
  if (counts_.empty()) {
    counts_.assign(kBins, 0);
    exponent_ = kFinestExponent;
  }
  int needed = 0;
  std::frexp(maximum, &needed);  // maximum < 2^needed
  if (maximum > 0) {
    for (; exponent_ < needed; ++exponent_) coarsen(counts_);
  }
  const float bins_per_unit =
      std::ldexp(static_cast<float>(kBins), -exponent_);  // a power of two: the product is exact
  for (const float v : values) ++counts_[static_cast<std::size_t>(std::fabs(v) * bins_per_unit)];
}

void Observer::merge(const Observer& other) {
  maximum_ = std::max(maximum_, other.maximum_);
  if (other.counts_.empty()) return;
  if (counts_.empty()) {
    counts_ = other.counts_;
    exponent_ = other.exponent_;
    return;
  }
  std::vector<std::uint64_t> theirs = other.counts_;
  int their_exponent = other.exponent_;
  for (; exponent_ < their_exponent; ++exponent_) coarsen(counts_);
  for (; their_exponent < exponent_; ++their_exponent) coarsen(theirs);
  for (std::size_t i = 0; i < kBins; ++i) counts_[i] += theirs[i];
}

float Observer::scale() const {
  // Scales below this would leave the range that docs/numerics.md allows.
  constexpr float kSmallest = 0x1p-90f;
  if (maximum_ < kSmallest) return 1.0f;
  if (kind_ == ObserverKind::minmax) return maximum_ / kInt8Max;
  const double bin_width = std::ldexp(1.0, exponent_) / kBins;
  if (kind_ == ObserverKind::percentile) {
    std::uint64_t total = 0;
    for (const std::uint64_t count : counts_) total += count;
    const auto wanted = static_cast<std::uint64_t>(std::ceil(kPercentile * static_cast<double>(total)));
    std::uint64_t seen = 0;
    std::size_t bin = 0;
    while (bin < kBins && (seen += counts_[bin]) < wanted) ++bin;
    const double limit = std::min(static_cast<double>(bin + 1) * bin_width, static_cast<double>(maximum_));
    return static_cast<float>(limit) / kInt8Max;
  }
  double best = maximum_ / kInt8Max;
  double least = squared_error(counts_, bin_width, best);
  for (int i = 1; i < kCandidates; ++i) {
    const double candidate = static_cast<double>(maximum_) * i / kCandidates / kInt8Max;
    const double error = squared_error(counts_, bin_width, candidate);
    if (error < least) {
      least = error;
      best = candidate;
    }
  }
  return static_cast<float>(best);
}

}  // namespace brainquant
