// Weights: cases worked by hand, NumPy's answers, every float16.
#include "quantization/quantizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "brainquant/support/error.h"
#include "quantization/report_tensors.h"
#include "quantization/weight_codec.h"
#include "support/error_message.h"
#include "support/float_decoder_answers.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using testing::FloatDecoderAnswers;

using Int8s = std::vector<std::int8_t>;

TEST(QuantizeInt8, RoundsTiesToEven) {
  const Int8Matrix q =
      quantize_int8({1, 8, {127.0F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -126.5F, 0.0F}}, Granularity::per_tensor);
  EXPECT_EQ(q.scales, std::vector<float>{1.0F});
  EXPECT_EQ(q.values, (Int8s{127, 0, 2, 2, 0, -2, -126, 0}));
}

TEST(QuantizeInt8, RowsHaveTheirOwnScaleOrShareOne) {
  const Matrix weight{3, 2, {0.0F, 0.0F, -2.54F, 1.27F, 5.0F, 5.0F}};
  const Int8Matrix channels = quantize_int8(weight, Granularity::per_channel);
  EXPECT_EQ(channels.scales, (std::vector<float>{1.0F, 2.54F / 127, 5.0F / 127}));  // zero row: 1; constant row: 127
  EXPECT_EQ(channels.values, (Int8s{0, 0, -127, 64, 127, 127}));                    // 63.5 to even
  const Int8Matrix tensor = quantize_int8(weight, Granularity::per_tensor);
  EXPECT_EQ(tensor.scales, std::vector<float>{5.0F / 127});
  EXPECT_EQ(tensor.values, (Int8s{0, 0, -65, 32, 127, 127}));
  const Int8Matrix zero = quantize_int8({1, 2, {0.0F, -0.0F}}, Granularity::per_tensor);
  EXPECT_EQ(zero.scales, std::vector<float>{1.0F});
}

TEST(QuantizeInt8, NumpysValuesAndSignalToNoise) {
  const FloatDecoderAnswers numpy;
  const int matrices = numpy.json.at("matrices");
  ASSERT_GE(matrices, 5);
  for (int i = 0; i < matrices; ++i) {
    const std::string number = std::to_string(i);
    const std::vector<std::int64_t> shape = numpy.shape("matrix." + number);
    const Matrix weight{shape[0], shape[1], numpy.array<float>("matrix." + number)};
    for (const Granularity granularity : {Granularity::per_tensor, Granularity::per_channel}) {
      SCOPED_TRACE(number + " " + name_of(granularity));
      const Int8Matrix found = quantize_int8(weight, granularity);
      EXPECT_EQ(found.values, numpy.array<std::int8_t>(name_of(granularity) + ".values." + number));
      EXPECT_EQ(found.scales, numpy.array<float>(name_of(granularity) + ".scales." + number));
    }
  }
}

// Many weights of 0.9 and one of 1. The largest's steps give 114.3 for 0.9; those 10 % smaller 127 exactly, but clip 1
// to 0.9 and lose 0.01; those 4 % smaller 119.06, which loses 2.23e-7 for each 0.9, and clip 1 to 0.96: 0.0016.
TEST(FitScales, OneScaleClipsWhereThatLosesLess) {
  for (const auto& [count, part] : {std::pair<std::size_t, float>{100000, 0.90F}, {10000, 0.96F}}) {
    for (const float unit : {1.0F, 1e-30F, -1e29F}) {  // squares neither overflow nor vanish
      SCOPED_TRACE(fmt::format("{} weights of {}", count, unit));
      Matrix weight{1, static_cast<std::int64_t>(count), std::vector<float>(count, 0.9F * unit)};
      weight.values[7] = unit;
      WeightMatrix quantized = quantize_int8(weight, Granularity::per_tensor);
      kInt8Codec.fit_scales(quantized, weight);
      EXPECT_FLOAT_EQ(std::get<Int8Matrix>(quantized).scales[0], part * std::fabs(unit) / 127.0F);
    }
  }
}

TEST(FitScales, RowsAndWhatCountsAsZeroKeepTheirs) {
  const Matrix rows{2, 3, {0.75F, 0.75F, 1.0F, 0.1F, 0.2F, 0.3F}};
  WeightMatrix quantized = quantize_int8(rows, Granularity::per_channel);
  kInt8Codec.fit_scales(quantized, rows);
  EXPECT_EQ(std::get<Int8Matrix>(quantized).scales, (std::vector<float>{1.0F / 127, 0.3F / 127}));
  const Matrix zero{1, 2, {0.0F, 1e-38F}};
  quantized = quantize_int8(zero, Granularity::per_tensor);
  kInt8Codec.fit_scales(quantized, zero);
  EXPECT_EQ(std::get<Int8Matrix>(quantized).scales, std::vector<float>{1.0F});
}

TEST(Float16, EveryPatternComesBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float32_of(half);
    const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent == 31) {
      ASSERT_TRUE(fraction == 0 ? std::isinf(value) : std::isnan(value)) << bits;
      // Infinity is a magnitude above 65504 too.
      ASSERT_TRUE(fraction == 0 ? float16_bits(value) == ((bits & 0x8000) | 0x7bff)
                                : std::isnan(float32_of(float16_bits(value))));
      continue;
    }
    const double magnitude =
        exponent == 0 ? fraction * std::pow(2.0, -24) : (1024 + fraction) * std::pow(2.0, exponent - 25);
    ASSERT_EQ(value, (bits & 0x8000) != 0 ? -magnitude : magnitude) << bits;
    ASSERT_EQ(float16_bits(value), half) << bits;
  }
}

TEST(Float16, NumpysRoundingSaturatedAt65504) {
  const FloatDecoderAnswers numpy;
  const std::vector<float> values = numpy.array<float>("floats");
  const std::vector<std::uint16_t> halves = numpy.array<std::uint16_t>("halves");
  ASSERT_GT(values.size(), 200000U);
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(float16_bits(values[i]), halves[i]) << values[i];
}

TEST(DayResidual, IsTransposedAndWithoutTheIdentity) {
  const Matrix residual = day_residual({2, 2, {1.5F, 2.0F, 3.0F, -4.0F}});
  EXPECT_EQ(residual.values, (std::vector<float>{0.5F, 3.0F, 2.0F, -5.0F}));
  const std::int64_t size = 67;  // more than a tile
  const Matrix day = testing::RandomNumbers(3).matrix(size, size, 1.0F);
  const Matrix large = day_residual(day);
  for (std::int64_t r = 0; r < size; ++r) {
    for (std::int64_t c = 0; c < size; ++c) ASSERT_EQ(large.row(c)[r], day.row(r)[c] - (r == c ? 1.0F : 0.0F));
  }
}

TEST(Quantize, ScalesAreForStaticTypesOnly) {
  const Checkpoint checkpoint = testing::random_checkpoint({}, 1);
  EXPECT_THROW(quantize(checkpoint, all_methods()[2]), UsageError);
  EXPECT_THROW(quantize(checkpoint, all_methods()[0], testing::tight_scales({})), UsageError);
}

TEST(Quantize, GptqNeedsTheInputsOfCalibration) {
  QuantizationOptions options;
  options.dtype = Dtype::qint4;
  options.weight_rounding = WeightRounding::gptq;
  EXPECT_THROW(quantize(testing::random_checkpoint({}, 1), options), UsageError);
  EXPECT_THROW(quantize(testing::random_checkpoint({}, 1), all_methods()[3], testing::tight_scales({})), UsageError);
}

/// Whatever it rounds becomes 1.
class OnesHessian : public InputHessian {
 public:
  void add(const float*, std::int64_t, std::int64_t) override {}
  void factorize() override {}
  std::vector<std::int8_t> round(const Matrix& weight, const RoundingGrid&) const override {
    return std::vector<std::int8_t>(weight.values.size(), 1);
  }
};

TEST(Quantize, GptqFitsTheScaleOfAMatrix) {
  testing::Shape shape;
  shape.units = 200;  // 120,000 weights of a normal distribution: the few largest are clipped
  shape.layers = 1;
  const Checkpoint checkpoint = testing::random_checkpoint(shape, 1);
  for (const bool gptq : {false, true}) {
    QuantizationOptions options = all_methods()[2];
    if (!gptq) options.weight_rounding = WeightRounding::nearest;
    InputHessians hessians;
    hessians.day = std::make_unique<OnesHessian>();
    hessians.layer_input.push_back(std::make_unique<OnesHessian>());
    hessians.layer_hidden.push_back(std::make_unique<OnesHessian>());
    hessians.out = std::make_unique<OnesHessian>();
    const QuantizedModel model =
        quantize(checkpoint, options, testing::tight_scales(shape), {}, {}, {}, std::move(hessians));
    const auto& found = std::get<Int8Matrix>(model.gru[0].weight_hh);
    const float widest = quantize_int8(checkpoint.weights.gru[0].weight_hh, Granularity::per_tensor).scales[0];
    if (gptq) {
      EXPECT_LT(found.scales[0], 0.995F * widest);
      EXPECT_GT(found.scales[0], 0.695F * widest);
      EXPECT_EQ(found.values, Int8s(found.values.size(), 1));
    } else {
      EXPECT_EQ(found.scales[0], widest);
    }
  }
}

TEST(Quantize, RulesForBitsMustMatchAMatrix) {
  const Checkpoint checkpoint = testing::random_checkpoint({}, 1);
  QuantizationOptions options;
  options.dtype = Dtype::mixed;
  for (const std::string rule : {"gru.weight_ih_l2=4", "out=4", "out.bias=8", "day_weights.0=4"}) {
    options.bits = {"*=4", rule};
    testing::expect_contains(testing::message_of<UsageError>([&] { quantize(checkpoint, options); }), "--bits " + rule);
  }
  options.bits = {"day_residuals.*=4"};
  EXPECT_EQ(quantize(checkpoint, options).weight_formats(),
            (std::vector<WeightFormat>{WeightFormat::int8, WeightFormat::int4}));
  options.day_layers = DayLayers::keep_float;
  EXPECT_THROW(quantize(checkpoint, options), UsageError);
}

double decibels(double signal, double noise) { return 10 * std::log10(signal / noise); }

TEST(TensorReports, BytesAndSignalToNoiseInDouble) {
  const testing::Shape shape{5, 7, 2, 3, 2, 1, 2};
  const Checkpoint checkpoint = testing::random_checkpoint(shape, 9);
  const QuantizedModel model =
      quantize(checkpoint, testing::to_nearest(all_methods()[3]), testing::tight_scales(shape));
  const std::vector<TensorReport> reports = report_tensors(checkpoint, model);
  std::int64_t parameters = 0;
  for (const TensorReport& report : reports) parameters += report.parameters;
  EXPECT_EQ(parameters, checkpoint.config.parameter_count());
  ASSERT_EQ(reports.size(), 7U);
  EXPECT_EQ(reports[0].name, "day_weights (2)");
  EXPECT_EQ(reports[0].bytes, 2 * (25 + 5 * 4));
  double signal = 0, noise = 0;
  for (std::size_t d = 0; d < 2; ++d) {
    const Matrix stored = dequantize(model.day_residuals[d]);
    for (std::int64_t r = 0; r < 5; ++r) {
      for (std::int64_t c = 0; c < 5; ++c) {
        const double w = checkpoint.weights.day_weights[d].row(r)[c];
        const double lost = w - (static_cast<double>(stored.row(c)[r]) + (r == c ? 1.0 : 0.0));
        signal += w * w;
        noise += lost * lost;
      }
    }
  }
  EXPECT_NEAR(reports[0].sqnr_db, decibels(signal, noise), 1e-3);
  EXPECT_EQ(reports[1].name, "gru.weight_ih_l0");
  EXPECT_EQ(reports[1].bytes, 21 * 10 + 21 * 4);
  EXPECT_EQ(reports[1].granularity, "per_channel");
  EXPECT_EQ(reports[1].bits, 8);
  signal = noise = 0;
  const Matrix& w = checkpoint.weights.gru[0].weight_ih;
  const auto& q = std::get<Int8Matrix>(model.gru[0].weight_ih);
  for (std::size_t i = 0; i < w.values.size(); ++i) {
    const double lost = w.values[i] - static_cast<double>(q.values[i]) * q.scales[i / 10];
    signal += static_cast<double>(w.values[i]) * w.values[i];
    noise += lost * lost;
  }
  EXPECT_NEAR(reports[1].sqnr_db, decibels(signal, noise), 1e-3);
  EXPECT_EQ(reports.back().bits, 32);
  EXPECT_TRUE(std::isinf(reports.back().sqnr_db));
}

}  // namespace
}  // namespace brainquant
