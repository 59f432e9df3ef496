#include "model/smoothing.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "brainquant/support/error.h"
#include "model/config_limits.h"

namespace brainquant {

namespace {

using namespace config_limits;

constexpr double kTruncate = 4.0;      // scipy's default, in standard deviations
constexpr float kSmallestTap = 0.01F;  // taps must be larger

// One side of scipy's kernel, from the middle outwards; both sides sum to 1.
std::vector<double> half_kernel(double std_bins) {
  const auto radius = static_cast<std::int64_t>(kTruncate * std_bins + 0.5);
  std::vector<double> half(static_cast<std::size_t>(radius) + 1);
  for (std::size_t k = 0; k < half.size(); ++k) {
    const auto x = static_cast<double>(k);
    half[k] = std::exp(-0.5 / (std_bins * std_bins) * x * x);
  }
  const double sum = 2.0 * std::accumulate(half.rbegin(), half.rend() - 1, 0.0) + half[0];
  for (double& value : half) value /= sum;
  return half;
}

// The sum of at most 99 values (taps above 0.01 that sum to about 1) in the order of numpy's pairwise summation, so
// that the taps are the published evaluator's to the last bit.
float numpy_sum(const std::vector<float>& values) {
  std::size_t i = 0;
  float sum = 0.0F;
  if (values.size() >= 8) {
    float part[8];
    for (int k = 0; k < 8; ++k) part[k] = values[static_cast<std::size_t>(k)];
    for (i = 8; i + 8 <= values.size(); i += 8) {
      for (std::size_t k = 0; k < 8; ++k) part[k] += values[i + k];
    }
    sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  }
  for (; i < values.size(); ++i) sum += values[i];
  return sum;
}

// Features that are summed together, in registers: a trip count known to the compiler makes the loops vector code.
constexpr std::int64_t kBlock = 32;

void smooth_block(const float* in, std::int64_t features, const std::vector<float>& taps, float* out) {
  float sum[kBlock];
  for (std::int64_t f = 0; f < kBlock; ++f) sum[f] = taps[0] * in[f];
  for (std::size_t k = 1; k < taps.size(); ++k) {
    in += features;
    const float tap = taps[k];
    for (std::int64_t f = 0; f < kBlock; ++f) sum[f] += tap * in[f];
  }
  for (std::int64_t f = 0; f < kBlock; ++f) out[f] = sum[f];
}

void smooth_one(const float* in, std::int64_t features, const std::vector<float>& taps, float* out) {
  float sum = taps[0] * *in;
  for (std::size_t k = 1; k < taps.size(); ++k) {
    in += features;
    sum += taps[k] * *in;
  }
  *out = sum;
}

}  // namespace

std::vector<float> smoothing_taps(const SmoothingConfig& config) {
  if (!config.smooth_data) return {1.0F};
  const std::int64_t size = config.smooth_kernel_size;
  if (!is_kernel_std(config.smooth_kernel_std)) {
    throw UsageError(fmt::format("smooth_kernel_std is {}: it must be above 0 and at most {} bins",
                                 config.smooth_kernel_std, kMaxKernelStd));
  }
  if (size < 1 || size > kMaxKernelSize) {
    throw UsageError(fmt::format("smooth_kernel_size is {}: it must be from 1 to {} bins", size, kMaxKernelSize));
  }
  const std::vector<double> half = half_kernel(config.smooth_kernel_std);
  const auto radius = static_cast<std::int64_t>(half.size()) - 1;

  // Mode reflect (d c b a | a b c d | d c b a) repeats the line with period 2 * size; the impulse then has an image at
  // each of middle + 2 * size * m and mirrored + 2 * size * m. A filtered value is the sum of the kernel over the
  // images in reach.
  const std::int64_t period = 2 * size;
  const std::int64_t middle = size / 2;
  const std::int64_t mirrored = period - 1 - middle;
  std::vector<float> taps;
  for (std::int64_t i = 0; i < size; ++i) {
    double value = 0.0;
    for (const std::int64_t image : {middle, mirrored}) {
      std::int64_t leftmost = image;  // at or after i - radius
      if (leftmost < i - radius) leftmost += period;
      leftmost -= (leftmost - (i - radius)) / period * period;
      for (std::int64_t at = leftmost; at <= i + radius; at += period) {
        value += half[static_cast<std::size_t>(std::abs(at - i))];
      }
    }
    const auto tap = static_cast<float>(value);
    if (tap > kSmallestTap) taps.push_back(tap);
  }
  if (taps.empty()) {
    throw UsageError(fmt::format("smooth_kernel_std {} and smooth_kernel_size {} leave no tap above {}",
                                 config.smooth_kernel_std, size, kSmallestTap));
  }
  const float sum = numpy_sum(taps);
  for (float& tap : taps) tap /= sum;
  return taps;
}

void warn_if_unsmoothed(const DecoderConfig& config, const RunContext& context) {
  if (config.smoothing.smooth_data) return;
  context.log.warning(
      "the model was trained on features that are not smoothed (smooth_data: false) and gets such features here; the "
      "public evaluator smooths them all the same, so its results will differ");
}

std::int64_t smooth(const float* in, std::int64_t bins, std::int64_t features, const std::vector<float>& taps,
                    std::vector<float>& out) {
  const std::int64_t bins_out = bins - static_cast<std::int64_t>(taps.size()) + 1;
  if (bins_out <= 0) {
    out.clear();
    return 0;
  }
  out.resize(static_cast<std::size_t>(bins_out * features));
  for (std::int64_t t = 0; t < bins_out; ++t) {
    const float* row = in + t * features;
    float* row_out = out.data() + t * features;
    std::int64_t f = 0;
    for (; f + kBlock <= features; f += kBlock) smooth_block(row + f, features, taps, row_out + f);
    for (; f < features; ++f) smooth_one(row + f, features, taps, row_out + f);
  }
  return bins_out;
}

}  // namespace brainquant
