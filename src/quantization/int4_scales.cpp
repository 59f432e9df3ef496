#include "quantization/int4_scales.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "brainquant/model/config.h"

namespace brainquant {

namespace {

constexpr std::int64_t kInputs = Int4Matrix::kGroupInputs;
constexpr auto kLowest = static_cast<float>(Int4Matrix::kLowestCode);
constexpr auto kHighest = static_cast<float>(Int4Matrix::kHighestCode);
constexpr int kLargestGroupScale = Int4Matrix::kLargestGroupScale;

// Steps (group scale * row scale) that can be a group's best, in units of its largest magnitude A. Below the first, the
// error of A alone, clipped, is more than that of all 32 at A / 8, which is at most half a step each. From the second
// on, half the step reaches every code that the whole one does.
constexpr float kSmallestStep = 0.08F;
constexpr float kLargestStep = 2.0F / 7;

// Row scales that are tried, in units of the row's largest magnitude: from the one at which the smallest of these steps
// takes the largest group scale to the last at which not all group scales could be twice as large instead.
constexpr float kSmallestScale = kSmallestStep / kLargestGroupScale;
constexpr float kLargestScale = kLargestStep / 8;
constexpr std::int64_t kLeastCandidates = 24;
constexpr std::int64_t kGroupsTried = 1024;  // few groups leave the error rugged, and finer grids cheap
constexpr int kIterations = 12;

/// To the nearest integer, ties to even, for magnitudes below 2^22: unlike nearbyint, vector code on any CPU.
float rounded(float x) {
  constexpr float kShift = 0x1.8p23F;
  return (x + kShift) - kShift;
}

float code_of(float weight, float inverse) { return rounded(std::min(std::max(weight * inverse, kLowest), kHighest)); }

/// 32 weights, those that the group lacks are 0 and cost nothing.
struct Group {
  float weights[kInputs] = {};
  float largest = 0;

  double error(float step) const {
    const float inverse = 1 / step;
    float squares[kInputs];
    for (std::int64_t i = 0; i < kInputs; ++i) {
      const float lost = weights[i] - step * code_of(weights[i], inverse);
      squares[i] = lost * lost;
    }
    constexpr std::int64_t kLanes = 4;  // sums that do not wait for each other
    float sums[kLanes] = {};
    for (std::int64_t i = 0; i < kInputs; i += kLanes) {
      for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += squares[i + lane];
    }
    return static_cast<double>(sums[0]) + sums[1] + sums[2] + sums[3];
  }
};

struct Candidate {
  float scale = 1;
  std::vector<int> of_group;
  double error = std::numeric_limits<double>::infinity();
};

/// The best group scales for a row scale. Gives up once the error is not below `bound`.
Candidate with_scale(const std::vector<Group>& groups, float scale, double bound) {
  Candidate candidate{scale, std::vector<int>(groups.size(), 1), 0};
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const float largest = groups[g].largest / scale;  // below 8 * 10^6
    const int first = std::clamp(static_cast<int>(kSmallestStep * largest), 1, kLargestGroupScale);
    const int last = std::clamp(static_cast<int>(kLargestStep * largest) + 1, first, kLargestGroupScale);
    double least = std::numeric_limits<double>::infinity();
    for (int own = first; own <= last; ++own) {
      const double error = groups[g].error(static_cast<float>(own) * scale);
      if (error < least) least = error, candidate.of_group[g] = own;
    }
    candidate.error += least;
    if (candidate.error >= bound) break;
  }
  return candidate;
}

/// The row scale that suits the candidate's codes best: sum of w * c over sum of c * c, c = code * group scale.
float refitted_scale(const std::vector<Group>& groups, const Candidate& candidate) {
  double numerator = 0;
  double denominator = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto own = static_cast<float>(candidate.of_group[g]);
    const float inverse = 1 / (own * candidate.scale);
    for (const float weight : groups[g].weights) {
      const float c = code_of(weight, inverse) * own;
      numerator += static_cast<double>(weight) * c;
      denominator += static_cast<double>(c) * c;
    }
  }
  return denominator > 0 ? static_cast<float>(numerator / denominator) : candidate.scale;
}

}  // namespace

Int4RowScales least_squares_scales(const float* row, const Int4Matrix& layout) {
  Int4RowScales result{1, std::vector<int>(static_cast<std::size_t>(layout.groups()), 1)};
  float largest = 0;
  for (std::int64_t c = 0; c < layout.cols; ++c) largest = std::max(largest, std::fabs(row[c]));
  // Below this, steps are no normal numbers and quotients lose their meaning: the row counts as zero.
  if (largest < std::numeric_limits<float>::min() / kSmallestScale) return result;
  // In units of the largest, so that no square overflows or vanishes.
  std::vector<Group> groups(static_cast<std::size_t>(layout.groups()));
  std::vector<std::int64_t> filled(groups.size());
  for (std::int64_t c = 0; c < layout.cols; ++c) {
    const auto g = static_cast<std::size_t>(layout.group_of(c));
    const float weight = row[c] / largest;
    groups[g].weights[filled[g]++] = weight;
    groups[g].largest = std::max(groups[g].largest, std::fabs(weight));
  }
  Candidate best;
  const std::int64_t candidates = std::max(kLeastCandidates, kGroupsTried / layout.groups());
  for (std::int64_t i = 0; i < candidates; ++i) {
    const double at = static_cast<double>(i) / static_cast<double>(candidates - 1);
    const auto scale = static_cast<float>(kSmallestScale * std::pow(kLargestScale / kSmallestScale, at));
    Candidate candidate = with_scale(groups, scale, best.error);
    if (candidate.error < best.error) best = std::move(candidate);
  }
  for (int i = 0; i < kIterations; ++i) {
    Candidate candidate = with_scale(groups, refitted_scale(groups, best), best.error);
    if (candidate.error >= best.error) break;
    best = std::move(candidate);
  }
  const int largest_product = -Int4Matrix::kLowestCode * *std::max_element(best.of_group.begin(), best.of_group.end());
  result.scale = std::min(best.scale * largest, kLargestMagnitude / static_cast<float>(largest_product));
  result.of_group = std::move(best.of_group);
  return result;
}

}  // namespace brainquant
