#include "brainquant/scoring/bootstrap.h"

#include <vector>

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
  if (trials.empty()) return result;
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
  result.low = quantile(differences, 0.025);
  result.high = quantile(std::move(differences), 0.975);
  return result;
}

}  // namespace brainquant
