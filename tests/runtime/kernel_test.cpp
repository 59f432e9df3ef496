// The elementwise parts of every kernel that this CPU has, function by function, against slow code written from
// docs/numerics.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "runtime/every_kernel.h"
#include "runtime/kernel_name.h"
#include "runtime/kernels/kernel_table.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using testing::EveryKernel;
using testing::RandomNumbers;

float slow_tanh(float value) {
  float x = value;
  if (x < -8.0F) x = -8.0F;
  if (x > 8.0F) x = 8.0F;
  const float u = x * x;
  float p = 1.1310205e-05F * u;
  p = p + 0.0029388259F;
  p = p * u;
  p = p + 0.1291364F;
  p = p * u;
  p = p + 0.99999934F;
  float q = 2.4238358e-07F * u;
  q = q + 0.00023702822F;
  q = q * u;
  q = q + 0.023763819F;
  q = q * u;
  q = q + 0.46246737F;
  q = q * u;
  q = q + 1.0F;
  const float top = x * p;
  return top / q;
}

float slow_sigmoid(float value) {
  const float half = 0.5F * value;
  const float scaled = 0.5F * slow_tanh(half);
  return scaled + 0.5F;
}

float slow_affine(std::int32_t acc, float row_scale, float scale, float bias) {
  const float both = row_scale * scale;
  const float product = static_cast<float>(acc) * both;
  return product + bias;
}

/// Sums, scales and biases of `count` channels; the first ones at the ends of what is possible.
struct Channels {
  std::vector<std::int32_t> acc;
  std::vector<float> scales;
  std::vector<float> biases;
  float row_scale = 0.0123F;

  Channels(std::int64_t count, unsigned seed) {
    RandomNumbers random(seed);
    for (std::int64_t i = 0; i < count; ++i) {
      acc.push_back(static_cast<std::int32_t>(random.integer(-3000000, 3000000)));
    }
    scales = random.normal(count, 0.0001F);
    for (float& s : scales) s = std::fabs(s) + 1e-6F;
    biases = random.normal(count, 1.0F);
    acc[0] = 133000 * 127 * 127;
    acc[1] = -acc[0];
    acc[2] = 0;
    acc[3] = 16777217;  // does not fit a float
    scales[4] = 0;
    biases[4] = 0;
    biases[5] = 0;
  }
};

/// Lengths of 1 to 5 vectors of the widest registers; shorter ones meet all of their own.
constexpr std::int64_t kLengths[] = {16, 32, 48, 64, 80, 160};

void expect_same_bits(const std::vector<float>& found, const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(std::memcmp(&found[i], &expected[i], sizeof(float)), 0)
        << what << " at " << i << ": " << found[i] << ", expected " << expected[i];
  }
}

TEST_P(EveryKernel, Affine) {
  for (const std::int64_t count : kLengths) {
    const Channels c(count, 1);
    std::vector<float> found(static_cast<std::size_t>(count)), expected;
    for (std::size_t i = 0; i < found.size(); ++i) {
      expected.push_back(slow_affine(c.acc[i], c.row_scale, c.scales[i], c.biases[i]));
    }
    kernel().affine(c.acc.data(), c.row_scale, c.scales.data(), c.biases.data(), count, found.data());
    expect_same_bits(found, expected, "affine");
  }
}

TEST_P(EveryKernel, DayOutput) {
  for (const std::int64_t count : kLengths) {
    const Channels c(count, 2);
    const std::vector<float> x = RandomNumbers(3).normal(count, 2.0F);
    std::vector<float> found(static_cast<std::size_t>(count)), expected;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const float v = slow_affine(c.acc[i], c.row_scale, c.scales[i], c.biases[i]) + x[i];
      const float below = 1.0F + (v < 0 ? -v : v);
      expected.push_back(v / below);
    }
    kernel().day_output(c.acc.data(), c.row_scale, c.scales.data(), c.biases.data(), x.data(), count, found.data());
    expect_same_bits(found, expected, "day output");
  }
}

TEST_P(EveryKernel, GatesUpdateTheState) {
  for (const std::int64_t units : kLengths) {
    Channels c(3 * units, 4);
    std::vector<float> gi = RandomNumbers(5).normal(3 * units, 4.0F);  // gates beyond tanh's limit of 8 among them
    std::vector<float> found = RandomNumbers(6).normal(units, 0.5F), expected;
    gi[0] = 1e20F;
    gi[17] = -1e20F;
    found[2] = 0;
    for (std::int64_t u = 0; u < units; ++u) {
      const auto r_at = static_cast<std::size_t>(u / 16 * 48 + u % 16), z_at = r_at + 16, n_at = r_at + 32;
      const auto gh = [&](std::size_t i) { return slow_affine(c.acc[i], c.row_scale, c.scales[i], c.biases[i]); };
      const float r = slow_sigmoid(gi[r_at] + gh(r_at));
      const float z = slow_sigmoid(gi[z_at] + gh(z_at));
      const float reset = r * gh(n_at);
      const float n = slow_tanh(gi[n_at] + reset);
      const float difference = found[static_cast<std::size_t>(u)] - n;
      const float kept = z * difference;
      expected.push_back(n + kept);
    }
    kernel().gates(c.acc.data(), c.row_scale, c.scales.data(), c.biases.data(), gi.data(), units, found.data());
    expect_same_bits(found, expected, "hidden state");
  }
}

TEST_P(EveryKernel, AbsoluteMaximumSeesEveryPlace) {
  for (const std::int64_t count : kLengths) {
    std::vector<float> values(static_cast<std::size_t>(count), 0.0F);
    EXPECT_EQ(kernel().absolute_maximum(values.data(), count), 0.0F);
    for (std::size_t at = 0; at < values.size(); ++at) {
      values.assign(values.size(), 0.25F);
      values[at] = at % 2 == 0 ? -3.5F : 3.5F;
      ASSERT_EQ(kernel().absolute_maximum(values.data(), count), 3.5F) << at;
    }
    values.assign(values.size(), -0x1p-149F);  // no flush to zero
    EXPECT_EQ(kernel().absolute_maximum(values.data(), count), 0x1p-149F);
  }
  EXPECT_EQ(kernel().absolute_maximum(nullptr, 0), 0.0F);
}

TEST_P(EveryKernel, QuantizeRoundsTiesToEvenAndSaturates) {
  for (const std::int64_t count : kLengths) {
    std::vector<float> values = RandomNumbers(7).normal(count, 60.0F);
    const float special[] = {0.5F,   1.5F,    -0.5F, -1.5F,  -2.5F, 126.5F, -126.5F, 127.0F,
                             128.0F, -128.0F, 1e30F, -1e30F, 0.0F,  -0.0F,  1e-40F};
    std::copy(std::begin(special), std::end(special), values.begin());
    for (const float inverse : {1.0F, 0.37F, 2.0F, 0.0F}) {
      std::vector<std::uint8_t> found(values.size());
      kernel().quantize(values.data(), inverse, count, found.data());
      for (std::size_t i = 0; i < values.size(); ++i) {
        // Half to even in double, where the float product and its half are exact.
        const double scaled = std::min(std::max(values[i] * inverse, -127.0F), 127.0F);
        double rounded = std::floor(scaled);
        if (scaled - rounded > 0.5 || (scaled - rounded == 0.5 && std::fmod(rounded, 2.0) != 0)) rounded += 1;
        ASSERT_EQ(found[i], static_cast<std::uint8_t>(static_cast<int>(rounded) + kernel().storage_offset))
            << values[i] << " * " << inverse << " at " << i;
      }
    }
  }
}

// ---- numbers that overflow ----

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// NaN of any kind equals NaN; everything else by its bits.
void expect_same_or_nan(const std::vector<float>& found, const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(found[i])) << what << " at " << i << ": " << found[i] << ", expected NaN";
    } else {
      ASSERT_EQ(std::memcmp(&found[i], &expected[i], sizeof(float)), 0)
          << what << " at " << i << ": " << found[i] << ", expected " << expected[i];
    }
  }
}

/// Scales and biases at the largest magnitude by turns with ordinary ones: products of them overflow, and a sum of zero
/// times an infinite scale is no number.
Channels extreme_channels(std::int64_t count, unsigned seed) {
  Channels c(count, seed);
  c.row_scale = 1e30F / 127;
  for (std::size_t i = 0; i < c.acc.size(); ++i) {
    if (i % 3 == 0) c.scales[i] = 1e30F / 127;
    if (i % 4 == 1) c.biases[i] = i % 8 == 1 ? 1e30F : -1e30F;
    if (i % 5 == 0) c.acc[i] = 0;
  }
  return c;
}

TEST_P(EveryKernel, OverflowIsTheSameEverywhere) {
  for (const std::int64_t count : kLengths) {
    const Channels c = extreme_channels(3 * count, 8);
    std::vector<float> affine(c.acc.size()), expected;
    for (std::size_t i = 0; i < c.acc.size(); ++i) {
      expected.push_back(slow_affine(c.acc[i], c.row_scale, c.scales[i], c.biases[i]));
    }
    kernel().affine(c.acc.data(), c.row_scale, c.scales.data(), c.biases.data(), 3 * count, affine.data());
    expect_same_or_nan(affine, expected, "affine");
    EXPECT_TRUE(std::any_of(affine.begin(), affine.end(), [](float v) { return std::isnan(v); }));
    EXPECT_TRUE(std::any_of(affine.begin(), affine.end(), [](float v) { return std::isinf(v); }));

    std::vector<float> x = RandomNumbers(9).normal(count, 1.0F), day(x.size());
    for (std::size_t i = 0; i < x.size(); i += 7) x[i] = i % 2 == 0 ? 1e30F : -1e30F;
    kernel().day_output(c.acc.data(), c.row_scale, c.scales.data(), c.biases.data(), x.data(), count, day.data());
    expected.clear();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float v = slow_affine(c.acc[i], c.row_scale, c.scales[i], c.biases[i]) + x[i];
      expected.push_back(v / (1.0F + std::fabs(v)));
    }
    expect_same_or_nan(day, expected, "day output");

    std::vector<float> gi = RandomNumbers(10).normal(3 * count, 4.0F), h = RandomNumbers(11).normal(count, 0.5F);
    for (std::size_t i = 0; i < gi.size(); i += 11) gi[i] = i % 2 == 0 ? kInfinity : -kInfinity;
    gi[5] = kNan;
    h[9] = kNan;
    h[10] = -1e30F;
    expected.clear();
    for (std::int64_t u = 0; u < count; ++u) {
      const auto r_at = static_cast<std::size_t>(u / 16 * 48 + u % 16), z_at = r_at + 16, n_at = r_at + 32;
      const auto gh = [&](std::size_t i) { return slow_affine(c.acc[i], c.row_scale, c.scales[i], c.biases[i]); };
      const float r = slow_sigmoid(gi[r_at] + gh(r_at));
      const float z = slow_sigmoid(gi[z_at] + gh(z_at));
      const float n = slow_tanh(gi[n_at] + r * gh(n_at));
      const float before = h[static_cast<std::size_t>(u)];
      expected.push_back(n + z * (before - n));
    }
    kernel().gates(c.acc.data(), c.row_scale, c.scales.data(), c.biases.data(), gi.data(), count, h.data());
    expect_same_or_nan(h, expected, "hidden state");
    EXPECT_TRUE(std::isnan(h[9]));  // once not a number, never a number again
  }
}

TEST_P(EveryKernel, QuantizesTheLargestAndWhatIsNoNumber) {
  for (const std::int64_t count : kLengths) {
    std::vector<float> values(static_cast<std::size_t>(count), 1.0F);
    values[0] = 1e30F;
    values[1] = -1e30F;
    values[2] = kNan;
    values[3] = kInfinity;
    values[4] = -kInfinity;
    for (const float inverse : {0x1p100F, 127 / 1e30F}) {
      std::vector<std::uint8_t> found(values.size());
      kernel().quantize(values.data(), inverse, count, found.data());
      const int ones = inverse > 1 ? 127 : 0;
      const int expected[] = {127, -127, -127, 127, -127, ones};
      for (std::size_t i = 0; i < 6; ++i) {
        ASSERT_EQ(found[i], static_cast<std::uint8_t>(expected[i] + kernel().storage_offset)) << i;
      }
    }
    // The largest of the numbers, wherever the NaN stands.
    for (std::size_t at = 0; at < values.size(); ++at) {
      values.assign(values.size(), -2.0F);
      values[at] = kNan;
      ASSERT_EQ(kernel().absolute_maximum(values.data(), count), 2.0F) << at;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpu, EveryKernel, ::testing::ValuesIn(supported_kernels()), testing::kernel_name);

}  // namespace
}  // namespace brainquant
