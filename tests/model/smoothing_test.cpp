// Smoothing against scipy and numpy (tests/fixtures/smoothing.py), to the last bit.
#include "model/smoothing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "brainquant/support/error.h"

namespace brainquant {
namespace {

std::string path_of(const std::string& name) { return std::string(BRAINQUANT_FIXTURES) + "/smoothing/" + name; }

template <class Value>
std::vector<Value> values_in(const std::string& name) {
  std::ifstream file(path_of(name), std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<Value> values(bytes.size() / sizeof(Value));
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(values.data()));
  return values;
}

SmoothingConfig settings(double std_bins, std::int64_t size) {
  SmoothingConfig config;
  config.smooth_kernel_std = std_bins;
  config.smooth_kernel_size = size;
  return config;
}

TEST(SmoothingTaps, EqualScipysBitForBit) {
  std::ifstream file(path_of("taps.txt"));
  std::size_t cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    std::istringstream in(line);
    double std_bins = 0;
    std::int64_t size = 0;
    in >> std_bins >> size;
    std::vector<float> expected;
    for (std::string word; in >> word;) expected.push_back(std::stof(word));
    EXPECT_EQ(smoothing_taps(settings(std_bins, size)), expected) << "std " << std_bins << ", size " << size;
  }
  EXPECT_GT(cases, 1000U);
}

TEST(SmoothingTaps, Defaults) {
  const std::vector<float> taps = smoothing_taps({});
  ASSERT_EQ(taps.size(), 9U);
  // exp(-k^2 / 8) for k of -4 to 4, divided by their sum.
  double sum = 0;
  for (int k = -4; k <= 4; ++k) sum += std::exp(-k * k / 8.0);
  for (int k = -4; k <= 4; ++k) EXPECT_NEAR(taps[static_cast<std::size_t>(k + 4)], std::exp(-k * k / 8.0) / sum, 1e-7);
}

TEST(Smoothing, SaysOnceThatItDoesNotSmooth) {
  struct : Log {
    void warning(const std::string& message) override { warnings.push_back(message); }
    std::vector<std::string> warnings;
  } log;
  Progress progress;
  const CancelToken cancel;
  DecoderConfig config;
  warn_if_unsmoothed(config, RunContext(log, progress, cancel));
  EXPECT_TRUE(log.warnings.empty());
  config.smoothing.smooth_data = false;
  warn_if_unsmoothed(config, RunContext(log, progress, cancel));
  ASSERT_EQ(log.warnings.size(), 1U);
  EXPECT_NE(log.warnings[0].find("public evaluator smooths"), std::string::npos);
}

TEST(SmoothingTaps, WithoutSmoothingOneTap) {
  SmoothingConfig config;
  config.smooth_data = false;
  EXPECT_EQ(smoothing_taps(config), std::vector<float>{1.0F});
}

TEST(SmoothingTaps, SettingsThatMakeNoSense) {
  for (const double std_bins : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity(), 1e300}) {
    EXPECT_THROW(smoothing_taps(settings(std_bins, 100)), UsageError) << std_bins;
  }
  for (const std::int64_t size : {std::int64_t{0}, std::int64_t{-5}, std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_THROW(smoothing_taps(settings(2.0, size)), UsageError) << size;
  }
  EXPECT_THROW(smoothing_taps(settings(200.0, 3000)), UsageError);  // every tap is 0.002 at most
}

struct FilterCase {
  const char* name;
  double std_bins;
  std::int64_t size;
};

class Filter : public testing::TestWithParam<FilterCase> {};

// The fixture's matrix is [40, 70]: two blocks of vector code and a rest.
TEST_P(Filter, EqualsNumpyInTheDocumentedOrder) {
  const auto in = values_in<float>("in.f32");
  const std::vector<float> taps = smoothing_taps(settings(GetParam().std_bins, GetParam().size));
  std::vector<float> out(3, 7.0F);
  const std::int64_t bins = smooth(in.data(), 40, 70, taps, out);
  EXPECT_EQ(bins, 40 - static_cast<std::int64_t>(taps.size()) + 1);
  EXPECT_EQ(out, values_in<float>(std::string("filtered_") + GetParam().name + ".f32"));
  const auto wide = values_in<double>(std::string("wide_") + GetParam().name + ".f64");
  ASSERT_EQ(out.size(), wide.size());
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], wide[i], 2e-6) << i;
}

TEST_P(Filter, WidthsAroundTheVectorCode) {
  const auto in = values_in<float>("in.f32");
  const std::vector<float> taps = smoothing_taps(settings(GetParam().std_bins, GetParam().size));
  for (const std::int64_t features : {1, 3, 4, 31, 32, 33, 63, 64, 65}) {
    std::vector<float> narrow(static_cast<std::size_t>(40 * features));
    for (std::int64_t t = 0; t < 40; ++t) {
      for (std::int64_t f = 0; f < features; ++f)
        narrow[static_cast<std::size_t>(t * features + f)] = in[static_cast<std::size_t>(t * 70 + f)];
    }
    std::vector<float> out;
    const std::int64_t bins = smooth(narrow.data(), 40, features, taps, out);
    const auto expected = values_in<float>(std::string("filtered_") + GetParam().name + ".f32");
    for (std::int64_t t = 0; t < bins; ++t) {
      for (std::int64_t f = 0; f < features; ++f) {
        ASSERT_EQ(out[static_cast<std::size_t>(t * features + f)], expected[static_cast<std::size_t>(t * 70 + f)])
            << features << " features, bin " << t << ", feature " << f;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Smoothing, Filter,
                         testing::Values(FilterCase{"2.0_100", 2.0, 100}, FilterCase{"0.5_9", 0.5, 9},
                                         FilterCase{"4.4_33", 4.4, 33}),
                         [](const auto& about) { return "Case" + std::to_string(about.index); });

TEST(Smooth, TooFewBins) {
  const std::vector<float> in(9 * 2, 1.0F);
  const std::vector<float> taps = smoothing_taps({});
  std::vector<float> out{1.0F};
  EXPECT_EQ(smooth(in.data(), 8, 2, taps, out), 0);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(smooth(nullptr, 0, 2, taps, out), 0);
  EXPECT_EQ(smooth(in.data(), 9, 2, taps, out), 1);
  EXPECT_EQ(out.size(), 2U);
}

}  // namespace
}  // namespace brainquant
