#include "brainquant/scoring/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <vector>

#include "brainquant/support/error.h"
#include "scoring/quantile.h"

namespace brainquant {

namespace {

// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  std::size_t below(std::size_t n) {
    const double u = static_cast<double>(next() >> 11) * 0x1.0p-53;
    return static_cast<std::size_t>(static_cast<double>(n) * u);
  }

 private:
  std::uint64_t state_;
};

double points(std::int64_t difference, std::int64_t length) {
  return length > 0 ? 100.0 * static_cast<double>(difference) / static_cast<double>(length) : 0.0;
}

}  // namespace

RateDifference paired_bootstrap(std::span<const PairedCounts> trials, std::int64_t resamples, std::uint64_t seed) {
  RateDifference result;
  if (trials.empty() || resamples < 1) return result;
  std::int64_t difference = 0;
  std::int64_t length = 0;
  for (const PairedCounts& trial : trials) {
    difference += trial.distance_b - trial.distance_a;
    length += trial.length;
  }
  result.difference = points(difference, length);
  SplitMix64 random(seed);
  std::vector<double> differences;
  differences.reserve(static_cast<std::size_t>(resamples));
  for (std::int64_t r = 0; r < resamples; ++r) {
    difference = 0;
    length = 0;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      const PairedCounts& trial = trials[random.below(trials.size())];
      difference += trial.distance_b - trial.distance_a;
      length += trial.length;
    }
    differences.push_back(points(difference, length));
  }
  const auto below = std::count_if(differences.begin(), differences.end(), [](double d) { return d < 0; });
  const auto equal = std::count(differences.begin(), differences.end(), 0.0);
  result.better_probability =
      (static_cast<double>(below) + 0.5 * static_cast<double>(equal)) / static_cast<double>(resamples);
  result.low = quantile(differences, 0.025);
  result.high = quantile(std::move(differences), 0.975);
  return result;
}

std::optional<Interval> session_bootstrap(std::span<const PairedCounts> trials, std::span<const std::string> sessions,
                                          std::int64_t resamples, std::uint64_t seed) {
  if (trials.size() != sessions.size()) throw UsageError("each trial needs the name of its session");
  // A session that is drawn brings all its trials: it counts as one trial with their sums.
  std::vector<PairedCounts> sums;
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const auto [place, is_new] = places.emplace(sessions[i], sums.size());
    if (is_new) sums.emplace_back();
    PairedCounts& sum = sums[place->second];
    sum.distance_a += trials[i].distance_a;
    sum.distance_b += trials[i].distance_b;
    sum.length += trials[i].length;
  }
  if (sums.size() < 2) return {};
  const RateDifference result = paired_bootstrap(sums, resamples, seed);
  return Interval{result.low, result.high};
}

RateDifference rate_difference(std::span<const PairedCounts> trials, std::span<const std::string> sessions) {
  RateDifference result = paired_bootstrap(trials);
  result.over_sessions = session_bootstrap(trials, sessions);
  return result;
}

Verdict verdict_of(const RateDifference& difference) {
  Interval widest{difference.low, difference.high};
  if (difference.over_sessions && difference.over_sessions->width() > widest.width()) {
    widest = *difference.over_sessions;
  }
  if (widest.high < 0) return Verdict::better;
  if (widest.low > 0) return Verdict::worse;
  return Verdict::unclear;
}

Verdict clear_side_of(const RateDifference& difference) {
  if (std::abs(difference.difference) < kClearPoints) return Verdict::unclear;
  if (difference.better_probability >= kClearShare) return Verdict::better;
  if (1 - difference.better_probability >= kClearShare) return Verdict::worse;
  return Verdict::unclear;
}

}  // namespace brainquant
