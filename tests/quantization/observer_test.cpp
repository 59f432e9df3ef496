// Observers against NumPy's statistics of the same values, and that neither order nor spreading matters.
#include "quantization/observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "brainquant/support/error.h"
#include "support/float_decoder_answers.h"

namespace brainquant {
namespace {

using testing::FloatDecoderAnswers;

constexpr ObserverKind kKinds[] = {ObserverKind::minmax, ObserverKind::percentile, ObserverKind::histogram};

float scale_of(ObserverKind kind, const std::vector<float>& values) {
  Observer observer(kind);
  observer.observe(values);
  return observer.scale();
}

TEST(Observer, MinmaxIsTheLargestMagnitude) {
  const FloatDecoderAnswers numpy;
  EXPECT_EQ(scale_of(ObserverKind::minmax, numpy.array<float>("observed")),
            numpy.json.at("observed").at("maximum").get<float>() / 127.0F);
  EXPECT_EQ(scale_of(ObserverKind::minmax, {0.5F, -12.7F, 3.0F}), 12.7F / 127.0F);
}

// The bins end at a power of two, so one is at most 2 / 8192 of the maximum: the percentile's bin ends at or above the
// exact one by no more.
TEST(Observer, PercentileIsWithinABinOfNumpys) {
  const FloatDecoderAnswers numpy;
  const double exact = numpy.json.at("observed").at("percentile");
  const double found = 127.0 * scale_of(ObserverKind::percentile, numpy.array<float>("observed"));
  EXPECT_GE(found, exact * (1 - 1e-6));
  EXPECT_LE(found, exact + 2.0 / 8192 * numpy.json.at("observed").at("maximum").get<double>());
  EXPECT_LT(exact, 0.7 * numpy.json.at("observed").at("maximum").get<double>());  // or it would tell nothing
}

// NumPy's least error is over 2000 scales of the exact values, ours over 256 of the binned ones: a little worse, and
// better than minmax by far.
TEST(Observer, HistogramsErrorIsNearTheLeast) {
  const FloatDecoderAnswers numpy;
  const std::vector<float> values = numpy.array<float>("observed");
  const double scale = scale_of(ObserverKind::histogram, values);
  double error = 0;
  for (const float v : values) {
    const double magnitude = std::fabs(v);
    const double lost = std::min(std::nearbyint(magnitude / scale), 127.0) * scale - magnitude;
    error += lost * lost;
  }
  const nlohmann::json& expected = numpy.json.at("observed");
  EXPECT_GE(error, expected.at("least_error").get<double>() * 0.999);
  EXPECT_LE(error, expected.at("least_error").get<double>() * 1.02);
  EXPECT_LT(error, expected.at("minmax_error").get<double>() * 0.9);
}

TEST(Observer, OrderAndSpreadingDoNotMatter) {
  std::vector<float> values = FloatDecoderAnswers().array<float>("observed");
  values.resize(9000);
  std::fill_n(values.begin(), 3000, 0.0F);  // zeros first in one order, last in the other
  values[4000] = 1e-39F;
  values[5000] = 900.0F;
  for (const ObserverKind kind : kKinds) {
    const float whole = scale_of(kind, values);
    std::vector<float> backwards(values.rbegin(), values.rend());
    EXPECT_EQ(scale_of(kind, backwards), whole);
    for (const std::vector<float>& order : {values, backwards}) {
      for (const std::size_t parts : {2U, 7U, 30U}) {
        Observer piecewise(kind), merged(kind);
        std::vector<Observer> spread(3, Observer(kind));
        for (std::size_t p = 0; p < parts; ++p) {
          const std::size_t begin = order.size() * p / parts, end = order.size() * (p + 1) / parts;
          const std::span<const float> part(order.data() + begin, end - begin);
          piecewise.observe(part);
          spread[p % 3].observe(part);
        }
        for (const Observer& one : spread) merged.merge(one);
        EXPECT_EQ(piecewise.scale(), whole) << name_of(kind) << " in " << parts;
        EXPECT_EQ(merged.scale(), whole) << name_of(kind) << " in " << parts;
      }
    }
  }
}

TEST(Observer, NothingOrZerosGiveOne) {
  for (const ObserverKind kind : kKinds) {
    EXPECT_EQ(Observer(kind).scale(), 1.0F);
    EXPECT_EQ(scale_of(kind, {0.0F, -0.0F}), 1.0F);
    EXPECT_EQ(scale_of(kind, {0x1p-149F, 0.0F}), 1.0F);
    EXPECT_NEAR(scale_of(kind, {0x1p100F}) / (0x1p100F / 127.0F), 1.0F, kind == ObserverKind::histogram ? 0.5F : 1e-3F);
  }
}

TEST(Observer, RefusesWhatIsNotFinite) {
  for (const ObserverKind kind : kKinds) {
    for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
      EXPECT_THROW(scale_of(kind, {1.0F, bad, 2.0F}), WorkError);
    }
  }
}

}  // namespace
}  // namespace brainquant
