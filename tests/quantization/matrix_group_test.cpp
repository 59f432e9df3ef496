#include "quantization/matrix_group.h"

#include <gtest/gtest.h>

#include "brainquant/support/error.h"
#include "quantization/bits_rule.h"
#include "quantization/quantizer.h"
#include "runtime/random_checkpoint.h"

namespace brainquant {
namespace {

DecoderConfig small_config() {
  DecoderConfig config;
  config.n_input_features = 6;
  config.n_units = 8;
  config.n_layers = 2;
  config.n_classes = 5;
  config.patch_size = 3;
  config.sessions = {"t15.2023.08.11", "t15.2023.08.13"};
  return config;
}

TEST(MatrixGroup, EveryWeightMatrixIsInOne) {
  const DecoderConfig config = small_config();
  std::int64_t parameters = 0;
  std::vector<std::string> names;
  for (const MatrixGroup& group : matrix_groups(config, DayLayers::quantize)) {
    names.push_back(group.name);
    parameters += group.parameters;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"day_residuals.*", "gru.weight_ih_l0", "gru.weight_hh_l0",
                                             "gru.weight_ih_l1", "gru.weight_hh_l1", "out.weight"}));
  // All but the biases (2 x 6 of the days, 4 x 24 of the layers, 5 of out) and h0.
  EXPECT_EQ(parameters, config.parameter_count() - 12 - 96 - 5 - 8);
  EXPECT_EQ(matrix_groups(config, DayLayers::keep_float).front().name, "gru.weight_ih_l0");
}

TEST(MatrixGroup, NamesAreRulesOfBits) {
  const Checkpoint checkpoint = testing::random_checkpoint(small_config());
  for (const MatrixGroup& group : matrix_groups(checkpoint.config, DayLayers::quantize)) {
    QuantizationOptions options;
    options.dtype = Dtype::mixed;
    options.bits = {group.name + "=4"};
    EXPECT_NO_THROW(require_rules_to_match(options, checkpoint.weights)) << group.name;
    // The matrices in 4 bits are those that copy_group() copies.
    QuantizationOptions eight = options, four = options;
    eight.bits = {"*=8"};
    four.bits = {"*=4"};
    QuantizedModel mixed = quantize(checkpoint, eight);
    copy_group(group.name, quantize(checkpoint, four), mixed);
    const QuantizedModel expected = quantize(checkpoint, options);
    EXPECT_EQ(format_of(mixed.out_weight), format_of(expected.out_weight)) << group.name;
    EXPECT_EQ(format_of(mixed.day_residuals[1]), format_of(expected.day_residuals[1])) << group.name;
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(format_of(mixed.gru[k].weight_ih), format_of(expected.gru[k].weight_ih)) << group.name;
      EXPECT_EQ(format_of(mixed.gru[k].weight_hh), format_of(expected.gru[k].weight_hh)) << group.name;
    }
  }
}

TEST(MatrixGroup, UnknownNamesAreRefused) {
  DecoderWeights from, to;
  EXPECT_THROW(copy_group("gru.weight_ih_l0", from, to), UsageError);
  EXPECT_THROW(copy_group("", from, to), UsageError);
}

}  // namespace
}  // namespace brainquant
