// Which engine runs a model.
#include <gtest/gtest.h>

#include <memory>

#include "brainquant/support/error.h"
#include "runtime/int8_engine.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/native_model.h"
#include "runtime/require_int8.h"
#include "support/error_message.h"
#include "support/small_decoder.h"
#include "torch/any_engine.h"

namespace brainquant {
namespace {

using namespace testing;

std::unique_ptr<Engine> engine_of(const QuantizedModel& model, const std::string& engine) {
  return make_engine(model, EngineOptions{engine, "", 1, -1});
}

TEST(EngineChoice, Int8RunsNativeUnlessTold) {
  const QuantizedModel model = random_model({}, {}, 6);
  EXPECT_EQ(engine_of(model, "")->name(), "native");
  for (const std::string& name : engine_names()) EXPECT_EQ(engine_of(model, name)->name(), name);
}

TEST(EngineChoice, Float16AndFp32RunLibTorchOnly) {
  QuantizationOptions half;
  half.dtype = Dtype::float16;
  const QuantizedModel model = random_model({}, half, 6);
  EXPECT_EQ(engine_of(model, "")->name(), "libtorch");
  const Checkpoint checkpoint = random_checkpoint({}, 6);
  for (const std::string name : {"reference", "native"}) {
    expect_contains(message_of<UsageError>([&] { engine_of(model, name); }), "float16");
    expect_contains(message_of<UsageError>([&] {
                      make_engine(checkpoint.config, checkpoint.weights, {name, "", 1, -1});
                    }),
                    name);
  }
}

/// The model with each weight matrix in the format that `of` gives for its fp32 values.
template <typename Of>
QuantizedModel with_formats(const Checkpoint& checkpoint, Of of) {
  QuantizedModel model = quantize(checkpoint, {});
  for (std::size_t d = 0; d < model.day_residuals.size(); ++d) {
    model.day_residuals[d] = of(day_residual(checkpoint.weights.day_weights[d]));
  }
  for (std::size_t k = 0; k < model.gru.size(); ++k) {
    model.gru[k].weight_ih = of(checkpoint.weights.gru[k].weight_ih);
    model.gru[k].weight_hh = of(checkpoint.weights.gru[k].weight_hh);
  }
  model.out_weight = of(checkpoint.weights.out_weight);
  return model;
}

// What runs a model is decided by the matrices themselves, not by the dtype that the options name.
TEST(EngineChoice, FormatsOfTheMatricesDecide) {
  const Checkpoint checkpoint = random_checkpoint({}, 6);
  const Trials trials = random_trials(checkpoint.config, {40}, 3);
  const QuantizedModel fp32 = with_formats(checkpoint, [](const Matrix& weight) { return WeightMatrix(weight); });
  EXPECT_EQ(fp32.weight_formats(), std::vector<WeightFormat>{WeightFormat::float32});
  const std::vector<float> found = engine_of(fp32, "")->decode(trials.inputs).at(0).values;
  const std::vector<float> expected =
      make_engine(checkpoint.config, checkpoint.weights, {"", "", 1, -1})->decode(trials.inputs).at(0).values;
  ASSERT_EQ(found.size(), expected.size());
  // W - I + I rounds by an ulp of 1 at most; FP16 products would be off by hundreds of times that.
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 2e-5) << i;
  for (const std::string name : {"reference", "native"}) {
    expect_contains(message_of<UsageError>([&] { engine_of(fp32, name); }), "float32");
  }
}

TEST(EngineChoice, NoEngineRunsAMixtureOfWholeAndOtherNumbers) {
  QuantizedModel model = random_model({}, {}, 6);
  model.gru[0].weight_hh = quantize_int4(dequantize(model.gru[0].weight_hh), model.config.n_units);
  for (const std::string& name : engine_names()) EXPECT_EQ(engine_of(model, name)->name(), name);
  model = random_model({}, {}, 6);
  model.out_weight = quantize_float16(dequantize(model.out_weight));
  for (const std::string name : {"", "reference", "libtorch", "native"}) {
    expect_contains(message_of<UsageError>([&] { engine_of(model, name); }), "mixes weights of float16 and int8");
  }
  ThreadTeam team(2);
  expect_contains(
      message_of<UsageError>([&] { NativeModel(model, ModelWeights(model), *supported_kernels().front(), team); }),
      "float16");
}

TEST(EngineChoice, LibTorchRunsFourBitsAsTheInt8MatrixThatTheyAre) {
  for (const QuantizationOptions& options : int4_ways()) {
    const QuantizedModel model = random_model({}, options, 8);
    QuantizedModel int8 = model;
    for (const WeightId& id : weight_ids(int8)) weight_of(int8, id) = int8_of(weight_of(int8, id));
    const Trials trials = random_trials(model.config, {40, 25}, 60);
    const std::vector<Logits> found = engine_of(model, "libtorch")->decode(trials.inputs);
    const std::vector<Logits> expected = engine_of(int8, "libtorch")->decode(trials.inputs);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(found[i].values, expected[i].values) << i;
  }
}

TEST(EngineChoice, OptionsOutOfRange) {
  const auto validate = [](const EngineOptions& options) {
    return message_of<UsageError>([&] { options.validate(); });
  };
  expect_contains(validate({"fast", "", 1, -1}), "reference, libtorch, native");
  expect_contains(validate({"", "sse9", 1, -1}), "sse9");
  expect_contains(validate({"", "", -1, -1}), "--threads");
  expect_contains(validate({"", "", 1025, -1}), "--threads");
  const QuantizedModel model = random_model({}, {}, 6);
  expect_contains(message_of<UsageError>([&] { make_engine(model, {"", "", 1, 1000}); }), "--gpu_number");
  EXPECT_GE(EngineOptions{}.effective_threads(), 1);
  EXPECT_EQ((EngineOptions{"", "", 7, -1}.effective_threads()), 7);
}

}  // namespace
}  // namespace brainquant
