// How sure a difference between two methods is that were given the same trials.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace brainquant {

inline constexpr std::int64_t kBootstrapResamples = 10'000;
inline constexpr std::uint64_t kBootstrapSeed = 20230811;

struct Interval {
  double low = 0;
  double high = 0;
  double width() const { return high - low; }
};

/// The difference of two error rates in points (100 * (sum of b - sum of a) / sum of lengths) with its 95 % interval.
struct RateDifference {
  double difference = 0;
  double low = 0;
  double high = 0;
  double better_probability = 0.5;             // resamples with a difference below 0, and half of those with exactly 0
  std::optional<Interval> over_sessions = {};  // the interval when whole sessions are drawn; none for fewer than two
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
/// true phoneme counts as no difference. All zero without trials or resamples, and the
/// probability 1/2.
RateDifference paired_bootstrap(std::span<const PairedCounts> trials, std::int64_t resamples = kBootstrapResamples,
                                std::uint64_t seed = kBootstrapSeed);

/// The interval of the same bootstrap over clusters of trials (Davison and Hinkley, Bootstrap Methods and their
/// Application, 1997, section 3.8): the trials of a session hang together, so that each resample draws as many sessions
/// as there are, with replacement and each with all its trials. A draw takes one of the sessions in the order of their
/// first trials. `sessions` names each trial's. Nothing for fewer than two sessions. Throws UsageError unless there are
/// as many names as trials.
std::optional<Interval> session_bootstrap(std::span<const PairedCounts> trials, std::span<const std::string> sessions,
                                          std::int64_t resamples = kBootstrapResamples,
                                          std::uint64_t seed = kBootstrapSeed);

/// paired_bootstrap() with session_bootstrap()'s interval.
RateDifference rate_difference(std::span<const PairedCounts> trials, std::span<const std::string> sessions);

/// What may be said of b against a.
enum class Verdict { better, worse, unclear };

/// `unclear` if the wider of the two intervals includes 0.
Verdict verdict_of(const RateDifference& difference);

/// Which side the difference itself is on, by a weaker measure than the verdict's: at least kClearPoints, with at least
/// kClearShare of the resamples over trials on that side.
Verdict clear_side_of(const RateDifference& difference);
inline constexpr double kClearPoints = 0.1;
inline constexpr double kClearShare = 0.9;

}  // namespace brainquant
