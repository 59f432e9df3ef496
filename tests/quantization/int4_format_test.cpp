// 4-bit weights: NumPy's packing, expansion and searched scales (tests/fixtures/int4_weights.py), and cases by hand.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "quantization/quantizer.h"
#include "quantization/weight_codec.h"
#include "support/fixture_answers.h"

namespace brainquant {
namespace {

testing::FixtureAnswers answers() {
  return testing::FixtureAnswers(std::filesystem::path(BRAINQUANT_FIXTURES) / "int4_weights");
}

/// Rows, inputs and inputs of a run.
std::vector<WeightShape> shapes(const testing::FixtureAnswers& numpy, const char* name) {
  std::vector<WeightShape> all;
  for (const nlohmann::json& sizes : numpy.json.at(name)) all.push_back({sizes[0], sizes[1], sizes[2]});
  return all;
}

Int4Matrix sized(const WeightShape& shape) {
  Int4Matrix matrix;
  matrix.rows = shape.rows;
  matrix.cols = shape.cols;
  matrix.run = shape.run;
  return matrix;
}

TEST(Int4Matrix, NumpysPackingAndExpansion) {
  const testing::FixtureAnswers numpy = answers();
  const std::vector<WeightShape> layouts = shapes(numpy, "layouts");
  ASSERT_GE(layouts.size(), 8U);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    const std::string number = std::to_string(i);
    SCOPED_TRACE(number);
    Int4Matrix matrix = sized(layouts[i]);
    matrix.codes = numpy.array<std::uint8_t>("codes." + number);
    matrix.group_scales = numpy.array<std::uint8_t>("group_scales." + number);
    matrix.scales = numpy.array<float>("scales." + number);
    const Int8Matrix found = expanded(matrix);
    EXPECT_EQ(found.values, numpy.array<std::int8_t>("values." + number));
    EXPECT_EQ(found.scales, matrix.scales);
    EXPECT_EQ(found.rows, matrix.rows);
    EXPECT_EQ(found.cols, matrix.cols);
    EXPECT_EQ(dequantize(matrix).values, numpy.array<float>("real." + number));

    WeightMatrix packed = sized(layouts[i]);
    codec_of(packed).set_codes(packed, numpy.array<std::int8_t>("plain_codes." + number));
    EXPECT_EQ(std::get<Int4Matrix>(packed).codes, matrix.codes);
  }
}

/// The squared error of each row in double. Each code is checked to be the nearest.
std::vector<double> errors_of(const Matrix& weight, const Int4Matrix& quantized) {
  std::vector<double> errors;
  for (std::int64_t r = 0; r < weight.rows; ++r) {
    double error = 0;
    for (std::int64_t c = 0; c < weight.cols; ++c) {
      const int group_scale = quantized.group_scale(r, quantized.group_of(c));
      EXPECT_GE(group_scale, 1);
      const double step = static_cast<double>(quantized.scales[static_cast<std::size_t>(r)]) * group_scale;
      const double nearest = std::clamp(std::nearbyint(weight.row(r)[c] / step), -8.0, 7.0);
      EXPECT_EQ(quantized.code(r, c), nearest) << r << ", " << c;
      error += std::pow(weight.row(r)[c] - nearest * step, 2);
    }
    errors.push_back(error);
  }
  return errors;
}

// For a group alone no scales of the fixture's far finer search are better, but for rounding in fp32. Over several
// groups a coarser grid misses the least error now and then, by less than it would matter: 1 % is 0.04 dB.
TEST(QuantizeInt4, NoSearchedScalesAreBetter) {
  const testing::FixtureAnswers numpy = answers();
  const std::vector<WeightShape> searched = shapes(numpy, "searched");
  ASSERT_GE(searched.size(), 7U);
  for (std::size_t i = 0; i < searched.size(); ++i) {
    const std::string number = std::to_string(i);
    const Matrix weight{searched[i].rows, searched[i].cols, numpy.array<float>("searched." + number)};
    const std::vector<double> least = numpy.array<double>("least_errors." + number);
    const std::vector<double> found = errors_of(weight, quantize_int4(weight, searched[i].run));
    double sum = 0;
    for (std::size_t r = 0; r < least.size(); ++r) {
      const double times_least = found[r] / least[r];
      sum += times_least;
      const bool one_group = weight.cols <= Int4Matrix::kGroupInputs;
      EXPECT_LE(times_least, one_group ? 1.0001 : 1.015) << "row " << r << " of " << weight.cols;
    }
    EXPECT_LE(sum / static_cast<double>(least.size()), 1.003) << weight.cols;
  }
}

TEST(QuantizeInt4, ExactValuesStayExact) {
  // Steps of 0.5 and of 2 are the group scales' 1 and 4, or 3 and 12, of some row scale.
  Matrix weight{1, 64, {}};
  for (int c = 0; c < 64; ++c) weight.values.push_back(static_cast<float>(c % 16 - 8) * (c < 32 ? 0.5F : 2.0F));
  const Int4Matrix quantized = quantize_int4(weight, 64);
  EXPECT_EQ(quantized.group_scale(0, 1), 4 * quantized.group_scale(0, 0));
  for (int c = 0; c < 64; ++c) EXPECT_EQ(quantized.code(0, c), c % 16 - 8);
  for (int c = 0; c < 64; ++c) EXPECT_NEAR(dequantize(quantized).values[c], weight.values[c], 1e-6F);
}

TEST(QuantizeInt4, RowsOfNothingAndOfTheLargestMagnitude) {
  const Matrix weight{3, 3, {0.0F, -0.0F, 0.0F, 1e-37F, -1e-38F, 0.0F, 1e30F, -1e30F, 1e-30F}};
  const Int4Matrix quantized = quantize_int4(weight, 3);
  EXPECT_EQ(quantized.scales[0], 1.0F);
  EXPECT_EQ(quantized.scales[1], 1.0F);
  const Matrix found = dequantize(quantized);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(found.values[static_cast<std::size_t>(i)], 0.0F);
  EXPECT_GT(found.values[6], 0.8e30F);
  EXPECT_LT(found.values[7], -0.8e30F);
  EXPECT_LE(8.0 * quantized.group_scale(2, 0) * quantized.scales[2], 1e30 * (1 + 1e-5));  // whatever the codes
}

}  // namespace
}  // namespace brainquant
