// How sure a difference between two methods is that were given the same trials.
#pragma once

#include <cstdint>
#include <span>

namespace brainquant {

inline constexpr std::int64_t kBootstrapResamples = 10'000;
inline constexpr std::uint64_t kBootstrapSeed = 20230811;

/// The difference of two error rates in points (100 * (sum of b - sum of a) / sum of lengths) with its 95 % interval.
struct RateDifference {
  double difference = 0;
  double low = 0;
  double high = 0;
};

/// One trial under both methods.
struct PairedCounts {
  std::int64_t distance_a = 0;
  std::int64_t distance_b = 0;
  std::int64_t length = 0;
};

/// Paired percentile bootstrap over trials (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13): each
/// resample draws as many trials as there are, with replacement; the interval goes from the 2.5 % to the 97.5 %
/// quantile (linear interpolation) of the resamples' differences. Draw k of the whole run takes trial floor(n * u), u =
/// top 53 bits of the k-th SplitMix64 output / 2^53, so that every machine gets the same interval. A resample without a
/// true phoneme counts as no difference. All zero without trials.
RateDifference paired_bootstrap(std::span<const PairedCounts> trials, std::int64_t resamples = kBootstrapResamples,
                                std::uint64_t seed = kBootstrapSeed);

}  // namespace brainquant
