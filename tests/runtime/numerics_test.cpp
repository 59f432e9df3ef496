// The approximations of docs/numerics.md against double, and its rules for rows.
#include "runtime/numerics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace brainquant {
namespace {

constexpr int kPoints = 1000000;

template <typename Approximation, typename Exact>
double largest_error(double limit, Approximation approximation, Exact exact) {
  double largest = 0;
  for (int i = 0; i <= kPoints; ++i) {
    const auto x = static_cast<float>(limit * (2.0 * i / kPoints - 1.0));
    largest = std::max(largest, std::fabs(static_cast<double>(approximation(x)) - exact(static_cast<double>(x))));
  }
  return largest;
}

double exact_sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// The lower bounds: an error far below the documented one would mean that the documentation is wrong, or that double is
// compared with itself.
TEST(Numerics, TanhErrorIsAsDocumented) {
  const double largest = largest_error(10, numerics::tanh, [](double x) { return std::tanh(x); });
  EXPECT_LE(largest, 4.3e-7);
  EXPECT_GE(largest, 4.3e-7 / 3);
}

TEST(Numerics, SigmoidErrorIsAsDocumented) {
  const double largest = largest_error(20, numerics::sigmoid, exact_sigmoid);
  EXPECT_LE(largest, 2.5e-7);
  EXPECT_GE(largest, 2.5e-7 / 3);
}

TEST(Numerics, ResultsStayInRangeAndTanhIsOdd) {
  for (int i = 0; i <= kPoints; ++i) {
    const auto x = static_cast<float>(30.0 * i / kPoints);
    const float t = numerics::tanh(x);
    ASSERT_LE(t, 1.0F) << x;
    ASSERT_EQ(numerics::tanh(-x), -t) << x;
    ASSERT_LE(numerics::sigmoid(x), 1.0F) << x;
    ASSERT_GE(numerics::sigmoid(-x), 0.0F) << x;
  }
  EXPECT_EQ(numerics::tanh(0.0F), 0.0F);
  EXPECT_EQ(numerics::sigmoid(0.0F), 0.5F);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_NEAR(numerics::tanh(infinity), 1.0F, 4.3e-7);
  EXPECT_NEAR(numerics::sigmoid(-infinity), 0.0F, 2.5e-7);
}

TEST(Numerics, DocumentedDecimalsAreTheHexadecimalConstants) {
  using namespace numerics;
  EXPECT_EQ(kTanhP0, 0.99999934F);
  EXPECT_EQ(kTanhP1, 0.1291364F);
  EXPECT_EQ(kTanhP2, 0.0029388259F);
  EXPECT_EQ(kTanhP3, 1.1310205e-05F);
  EXPECT_EQ(kTanhQ1, 0.46246737F);
  EXPECT_EQ(kTanhQ2, 0.023763819F);
  EXPECT_EQ(kTanhQ3, 0.00023702822F);
  EXPECT_EQ(kTanhQ4, 2.4238358e-07F);
}

TEST(Numerics, DynamicRows) {
  const numerics::RowScale unit = numerics::dynamic_row_scale(127.0F);
  EXPECT_EQ(unit.scale, 1.0F);
  EXPECT_EQ(unit.inverse, 1.0F);
  // A row of zeros, or one too small for the inverse to be a normal number: scale 1, every q 0.
  for (const float maximum : {0.0F, 0x1p-149F, 0x1.fffffep-101F}) {
    EXPECT_EQ(numerics::dynamic_row_scale(maximum).scale, 1.0F);
    EXPECT_EQ(numerics::quantize(maximum, numerics::dynamic_row_scale(maximum).inverse), 0);
  }
  const numerics::RowScale smallest = numerics::dynamic_row_scale(0x1p-100F);
  EXPECT_EQ(smallest.scale, 0x1p-100F / 127.0F);
  EXPECT_EQ(numerics::quantize(-0x1p-100F, smallest.inverse), -127);
  // The largest value of a row always becomes 127, however the inverse was rounded.
  for (int i = 1; i < 20000; ++i) {
    const float maximum = static_cast<float>(i) * 0.00137F;
    const numerics::RowScale row = numerics::dynamic_row_scale(maximum);
    ASSERT_EQ(numerics::quantize(maximum, row.inverse), 127) << maximum;
    ASSERT_EQ(numerics::quantize(-maximum, row.inverse), -127) << maximum;
  }
}

TEST(Numerics, QuantizeRoundsTiesToEvenAndSaturates) {
  EXPECT_EQ(numerics::quantize(0.5F, 1.0F), 0);
  EXPECT_EQ(numerics::quantize(1.5F, 1.0F), 2);
  EXPECT_EQ(numerics::quantize(-2.5F, 1.0F), -2);
  EXPECT_EQ(numerics::quantize(-3.5F, 1.0F), -4);
  EXPECT_EQ(numerics::quantize(126.5F, 1.0F), 126);
  EXPECT_EQ(numerics::quantize(127.5F, 1.0F), 127);
  EXPECT_EQ(numerics::quantize(1e30F, 1.0F), 127);
  EXPECT_EQ(numerics::quantize(-1e30F, 1.0F), -127);
  EXPECT_EQ(numerics::quantize(3.0F, numerics::static_row_scale(2.0F).inverse), 2);
}

TEST(Numerics, WidestRowFitsInt32AndTheNextThousandDoesNot) {
  constexpr std::int64_t largest_product = 127 * 127;
  EXPECT_LE(numerics::kWidestRow * largest_product, std::numeric_limits<std::int32_t>::max());
  EXPECT_GT((numerics::kWidestRow + 1000) * largest_product, std::numeric_limits<std::int32_t>::max());
}

}  // namespace
}  // namespace brainquant
