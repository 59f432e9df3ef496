// Options: names, contradictions, what follows from them.
#include "brainquant/quantization/scheme.h"

#include <gtest/gtest.h>

#include "brainquant/support/error.h"
#include "quantization/bits_rule.h"
#include "quantization/weight_format.h"
#include "support/error_message.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::message_of;

TEST(Scheme, NamesAreThoseOfTheFlags) {
  EXPECT_EQ(parse_quantization_type("dynamic"), QuantizationType::dynamic_range);
  EXPECT_EQ(parse_quantization_type("static"), QuantizationType::static_per_tensor);
  EXPECT_EQ(parse_quantization_type("static_per_channel"), QuantizationType::static_per_channel);
  EXPECT_EQ(parse_dtype("qint8"), Dtype::qint8);
  EXPECT_EQ(parse_dtype("float16"), Dtype::float16);
  EXPECT_EQ(parse_dtype("qint4"), Dtype::qint4);
  EXPECT_EQ(parse_weight_rounding("nearest"), WeightRounding::nearest);
  EXPECT_EQ(parse_weight_rounding("gptq"), WeightRounding::gptq);
  EXPECT_EQ(parse_granularity("per_tensor"), Granularity::per_tensor);
  EXPECT_EQ(parse_granularity("per_channel"), Granularity::per_channel);
  EXPECT_EQ(parse_observer("minmax"), ObserverKind::minmax);
  EXPECT_EQ(parse_observer("percentile"), ObserverKind::percentile);
  EXPECT_EQ(parse_observer("histogram"), ObserverKind::histogram);
  EXPECT_EQ(parse_day_layers("quantize"), DayLayers::quantize);
  EXPECT_EQ(parse_day_layers("float"), DayLayers::keep_float);
  EXPECT_EQ(name_of(QuantizationType::static_per_channel), "static_per_channel");
  EXPECT_EQ(name_of(DayLayers::keep_float), "float");
  expect_contains(message_of<UsageError>([] { parse_quantization_type("Static"); }),
                  "found 'Static', expected one of dynamic, static");
  expect_contains(message_of<UsageError>([] { parse_dtype(""); }), "qint8, float16");
}

TEST(Scheme, TheFourMethodsInTheDocumentsOrder) {
  std::vector<std::string> names;
  for (const QuantizationOptions& method : all_methods()) {
    EXPECT_NO_THROW(method.validate());
    names.push_back(method.method_name());
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"dynamic_qint8", "dynamic_float16", "static_qint8", "static_per_channel_qint8"}));
  EXPECT_EQ(all_methods()[0].effective_granularity(), Granularity::per_tensor);
  EXPECT_EQ(all_methods()[2].effective_granularity(), Granularity::per_tensor);
  EXPECT_EQ(all_methods()[3].effective_granularity(), Granularity::per_channel);
}

TEST(Scheme, EachContradictionIsNamed) {
  const auto refused = [](auto change) {
    QuantizationOptions options;
    change(options);
    return message_of<UsageError>([&] { options.validate(); });
  };
  for (const QuantizationType type : {QuantizationType::static_per_tensor, QuantizationType::static_per_channel}) {
    expect_contains(refused([&](auto& o) { o.quantization_type = type, o.dtype = Dtype::float16; }), "--dtype float16");
    expect_contains(
        refused([&](auto& o) { o.quantization_type = type, o.weight_granularity = Granularity::per_tensor; }),
        "--weight_granularity");
  }
  expect_contains(refused([](auto& o) { o.dtype = Dtype::float16, o.weight_granularity = Granularity::per_channel; }),
                  "--weight_granularity");
  expect_contains(refused([](auto& o) { o.observer = ObserverKind::minmax; }), "--observer");
  expect_contains(refused([](auto& o) { o.calibration_samples = 0; }), "--calibration_samples: found 0");
  expect_contains(refused([](auto& o) { o.gptq_samples = 0; }), "--gptq_samples: found 0");
  expect_contains(refused([](auto& o) { o.dtype = Dtype::float16, o.weight_rounding = WeightRounding::gptq; }),
                  "--weight_rounding");
  expect_contains(
      refused([](auto& o) { o.dtype = Dtype::qint4, o.quantization_type = QuantizationType::static_per_tensor; }),
      "a 4-bit weight has a scale for each row by nature");
  expect_contains(refused([](auto& o) { o.dtype = Dtype::qint4, o.weight_granularity = Granularity::per_channel; }),
                  "--weight_granularity");
}

TEST(Scheme, BitsAreOfMixedModelsOnly) {
  QuantizationOptions options;
  const auto refusal = [&] { return message_of<UsageError>([&] { options.validate(); }); };
  options.bits = {"out.weight=4"};
  expect_contains(refusal(), "--bits applies only to --dtype mixed");
  options.dtype = Dtype::mixed;
  EXPECT_NO_THROW(options.validate());
  EXPECT_EQ(options.method_name(), "dynamic_mixed");
  EXPECT_TRUE(options.has_4_bit_weights());
  options.quantization_type = QuantizationType::static_per_tensor;
  expect_contains(refusal(), "--dtype mixed requires --quantization_type dynamic or static_per_channel");
  options.quantization_type = QuantizationType::static_per_channel;
  EXPECT_TRUE(options.uses_gptq());
  options.bits = {"out.weight=8"};
  EXPECT_FALSE(options.has_4_bit_weights());
  options.bits = {};
  expect_contains(refusal(), "--dtype mixed requires --bits");
  for (const char* rule : {"out.weight", "out.weight=", "out.weight=6", "=4", "=", "out.weight=44", "out.weight=4 "}) {
    options.bits = {"*=8", rule};
    expect_contains(refusal(), std::string("--bits: found '") + rule + "', expected PATTERN=4 or PATTERN=8");
  }
}

TEST(Scheme, TheLastRuleThatMatchesDecides) {
  const std::vector<std::string> rules = {"gru.*=4", "gru.weight_ih_l[01]=8", "day_residuals.?=4"};
  EXPECT_EQ(bits_of(rules, "gru.weight_hh_l0"), 4);
  EXPECT_EQ(bits_of(rules, "gru.weight_ih_l1"), 8);
  EXPECT_EQ(bits_of(rules, "gru.weight_ih_l2"), 4);
  EXPECT_EQ(bits_of(rules, "day_residuals.7"), 4);
  EXPECT_EQ(bits_of(rules, "day_residuals.17"), 8);
  EXPECT_EQ(bits_of(rules, "out.weight"), 8);
  QuantizationOptions options;
  options.dtype = Dtype::mixed;
  options.bits = rules;
  EXPECT_EQ(format_of(options, "gru.weight_hh_l0"), WeightFormat::int4);
  EXPECT_EQ(format_of(options, "out.weight"), WeightFormat::int8);
  // Names of folders tell rules apart, but have none of their characters.
  const std::string name = options.variant_name();
  EXPECT_EQ(name.rfind("dynamic_mixed-bits_", 0), 0U) << name;
  EXPECT_EQ(name.find_first_of("*?[]=,/ "), std::string::npos) << name;
  options.bits.pop_back();
  EXPECT_NE(options.variant_name(), name);
}

TEST(Scheme, WeightsAreRoundedByGptqWhereThereIsCalibration) {
  for (const QuantizationOptions& method : all_methods()) EXPECT_EQ(method.uses_gptq(), method.is_static());
  QuantizationOptions options;
  options.weight_rounding = WeightRounding::gptq;
  EXPECT_EQ(options.variant_name(), "dynamic_qint8-gptq");
  EXPECT_EQ(options.calibration_trials(), 64);
  options.quantization_type = QuantizationType::static_per_tensor;
  options.weight_rounding = WeightRounding::nearest;
  EXPECT_EQ(options.variant_name(), "static_qint8-nearest");
  options = {};
  options.dtype = Dtype::qint4;
  EXPECT_EQ(options.variant_name(), "dynamic_qint4");
  EXPECT_FALSE(options.needs_calibration());
  EXPECT_EQ(options.effective_granularity(), Granularity::per_channel);
  options.weight_rounding = WeightRounding::nearest;  // the default, spelled out
  EXPECT_EQ(options.variant_name(), "dynamic_qint4");
  options.weight_rounding = WeightRounding::gptq;
  EXPECT_EQ(options.variant_name(), "dynamic_qint4-gptq");
  EXPECT_TRUE(options.needs_calibration());
  EXPECT_EQ(options.calibration_trials(), 64);
  options.gptq_samples = 9;
  EXPECT_EQ(options.variant_name(), "dynamic_qint4-gptq-g9");
  EXPECT_EQ(options.calibration_trials(), 9);
  options = {};
  options.dtype = Dtype::qint4;
  options.quantization_type = QuantizationType::static_per_channel;
  EXPECT_EQ(options.variant_name(), "static_per_channel_qint4");
  EXPECT_TRUE(options.uses_gptq());
  EXPECT_EQ(options.calibration_trials(), 1000);
  options.weight_rounding = WeightRounding::nearest;
  EXPECT_EQ(options.variant_name(), "static_per_channel_qint4-nearest");
  EXPECT_FALSE(options.uses_gptq());
  EXPECT_EQ(options.calibration_trials(), 1000);
}

}  // namespace
}  // namespace brainquant
