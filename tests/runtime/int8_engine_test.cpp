// What must not change a bit of an INT8 result: the kernel, the number of threads, the batch, and decoding bin by bin.
#include "runtime/int8_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>

#include "brainquant/support/error.h"
#include "runtime/kernels/kernel_table.h"
#include "runtime/native_decode.h"
#include "runtime/native_stream.h"
#include "support/error_message.h"
#include "support/small_decoder.h"

namespace brainquant {
namespace {

using namespace testing;

/// Named by what they stress.
struct NamedShape {
  const char* name;
  Shape shape;
};
constexpr NamedShape kShapes[] = {{"NoPatchesNarrow", {5, 7, 1, 3, 0, 0, 1}},
                                  {"WholeBlocks", {16, 16, 2, 41, 3, 2, 2}},
                                  {"StrideBeyondPatch", {20, 33, 3, 17, 4, 5, 3}},
                                  {"StrideOne", {20, 16, 2, 5, 4, 1, 2}},
                                  {"OneUnit", {1, 1, 2, 1, 3, 3, 1}},
                                  {"ManyBlocks", {40, 100, 2, 41, 2, 2, 1}}};

std::vector<std::string> kernels_here() {
  std::vector<std::string> names;
  for (const Kernel* kernel : supported_kernels()) names.emplace_back(kernel->name);
  return names;
}

std::unique_ptr<Engine> engine_of(const QuantizedModel& model, const std::string& engine,
                                  const std::string& kernel = "", int threads = 1) {
  return make_int8_engine(model, EngineOptions{engine, kernel, threads, -1});
}

void expect_same_bits(const Logits& found, const Logits& expected) {
  ASSERT_EQ(found.steps, expected.steps);
  ASSERT_EQ(found.classes, expected.classes);
  ASSERT_EQ(found.values.size(), expected.values.size());
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    ASSERT_EQ(std::memcmp(&found.values[i], &expected.values[i], sizeof(float)), 0)
        << "step " << static_cast<std::int64_t>(i) / found.classes << ", class "
        << static_cast<std::int64_t>(i) % found.classes << ": " << found.values[i] << ", expected "
        << expected.values[i];
  }
}

void expect_same_bits(const std::vector<Logits>& found, const std::vector<Logits>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE("trial " + std::to_string(i));
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(found[i], expected[i]));
  }
}

/// Thread counts to try with a kernel: one, and two or three by turns, so that each kernel meets both over the ways of
/// quantizing.
std::vector<int> thread_counts(const std::string& kernel, const QuantizedModel& model) {
  const int turn =
      static_cast<int>(kernel.size()) + (model.options.is_static() ? 1 : 0) + (model.day_weights.empty() ? 0 : 1);
  return {1, 2 + turn % 2};
}

enum class Prepare { never, each_bin, sometimes };

Logits pushed(Engine& engine, EngineState& state, const EngineInput& input, Prepare prepare) {
  const DecoderConfig& config = engine.config();
  Logits logits{0, config.n_classes, {}};
  std::vector<float> step(static_cast<std::size_t>(config.n_classes));
  for (std::int64_t t = 0; t < input.bins; ++t) {
    if (prepare == Prepare::each_bin || (prepare == Prepare::sometimes && t % 3 == 1)) engine.prepare(state);
    if (!engine.push(state, input.features + t * config.n_input_features, step.data())) continue;
    ++logits.steps;
    logits.values.insert(logits.values.end(), step.begin(), step.end());
  }
  return logits;
}

/// A batch whose trials end at very different steps: two groups of trials, more rows than pass through the layers at a
/// time, empty ones between; the longest alone is more than one stretch too.
std::vector<std::int64_t> uneven_bins(const DecoderConfig& config) {
  std::vector<std::int64_t> bins;
  for (const std::int64_t steps : {40, 0, 1, 41, 275, 2, 33, 40, 7, 0, 64, 3, 12}) {
    bins.push_back(steps == 0 ? config.bins_per_step() - 1
                              : config.bins_per_step() + (steps - 1) * config.bins_between_steps() +
                                    steps % std::max<std::int64_t>(1, config.bins_between_steps()));
  }
  return bins;
}

class Int8Engines : public ::testing::TestWithParam<NamedShape> {
 protected:
  /// Calls `check` with every way of quantizing this shape.
  void for_each_model(const std::function<void(const QuantizedModel&)>& check) const {
    unsigned seed = 1;
    for (const QuantizationOptions& options : int8_ways()) {
      SCOPED_TRACE(text_of(GetParam().shape) + ": " + text_of(options) + ", seed " + std::to_string(seed));
      check(random_model(GetParam().shape, options, seed++));
      if (HasFatalFailure()) return;
    }
  }
};

TEST_P(Int8Engines, EveryKernelAndThreadCountGivesTheReferencesBits) {
  for_each_model([](const QuantizedModel& model) {
    const Trials trials = random_trials(model.config, uneven_bins(model.config), 50);
    const std::vector<Logits> expected = engine_of(model, "reference")->decode(trials.inputs);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(expected[i].steps, model.config.steps_of(trials.inputs[i].bins));
    }
    for (const std::string& kernel : kernels_here()) {
      for (const int threads : thread_counts(kernel, model)) {
        SCOPED_TRACE(kernel + ", " + std::to_string(threads) + " threads");
        const std::unique_ptr<Engine> native = engine_of(model, "native", kernel, threads);
        ASSERT_EQ(native->instructions(), kernel);
        ASSERT_NO_FATAL_FAILURE(expect_same_bits(native->decode(trials.inputs), expected));
      }
    }
  });
}

/// The model with INT8 matrices in place of its 4-bit ones.
QuantizedModel with_expanded_weights(QuantizedModel model) {
  const auto expand = [](WeightMatrix& weight) {
    if (const auto* int4 = std::get_if<Int4Matrix>(&weight)) weight = WeightMatrix(expanded(*int4));
  };
  for (WeightMatrix& residual : model.day_residuals) expand(residual);
  for (QuantizedGruLayer& layer : model.gru) {
    expand(layer.weight_ih);
    expand(layer.weight_hh);
  }
  expand(model.out_weight);
  return model;
}

TEST_P(Int8Engines, FourBitsGiveTheBitsOfTheInt8MatrixThatTheyAre) {
  for (const QuantizationOptions& options : int4_ways()) {
    SCOPED_TRACE(text_of(GetParam().shape) + ": " + text_of(options));
    const QuantizedModel model = random_model(GetParam().shape, options, 8);
    ASSERT_EQ(model.weight_formats(), (std::vector<WeightFormat>{WeightFormat::int8, WeightFormat::int4}));
    const QuantizedModel int8 = with_expanded_weights(model);
    ASSERT_EQ(int8.weight_formats(), std::vector<WeightFormat>{WeightFormat::int8});
    const Trials trials = random_trials(model.config, uneven_bins(model.config), 60);
    const std::vector<Logits> expected = engine_of(int8, "reference")->decode(trials.inputs);
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(engine_of(model, "reference")->decode(trials.inputs), expected));
    for (const std::string& kernel : kernels_here()) {
      SCOPED_TRACE(kernel);
      const std::unique_ptr<Engine> native = engine_of(model, "native", kernel, 2);
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(native->decode(trials.inputs), expected));
      const std::unique_ptr<EngineState> state = native->make_state(trials.inputs[3].session_index);
      ASSERT_NO_FATAL_FAILURE(
          expect_same_bits(pushed(*native, *state, trials.inputs[3], Prepare::sometimes), expected[3]));
    }
    ASSERT_EQ(engine_of(model, "")->name(), "native");
  }
}

TEST_P(Int8Engines, TheRestOfTheBatchAndItsOrderDoNotMatter) {
  for_each_model([](const QuantizedModel& model) {
    Trials trials = random_trials(model.config, uneven_bins(model.config), 90);
    const std::unique_ptr<Engine> native = engine_of(model, "native");
    const std::vector<Logits> together = native->decode(trials.inputs);
    std::vector<Logits> alone;
    for (const EngineInput& input : trials.inputs) alone.push_back(native->decode({&input, 1}).at(0));
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(alone, together));
    std::reverse(trials.inputs.begin(), trials.inputs.end());
    std::vector<Logits> reversed = native->decode(trials.inputs);
    std::reverse(reversed.begin(), reversed.end());
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(reversed, together));
    EXPECT_TRUE(native->decode({}).empty());
  });
}

TEST_P(Int8Engines, BinByBinGivesTheBitsOfTheWholeTrial) {
  for_each_model([](const QuantizedModel& model) {
    const std::int64_t bins = model.config.bins_per_step() + 9 * model.config.bins_between_steps() + 1;
    const Trials trials = random_trials(model.config, {bins}, 70);
    const std::unique_ptr<Engine> reference = engine_of(model, "reference");
    const Logits expected = reference->decode(trials.inputs).at(0);
    ASSERT_EQ(expected.steps, model.config.steps_of(bins));
    for (const std::string& kernel : kernels_here()) {
      for (const int threads : thread_counts(kernel, model)) {
        const std::unique_ptr<Engine> native = engine_of(model, "native", kernel, threads);
        const std::unique_ptr<EngineState> state = native->make_state(0);
        for (const Prepare prepare : {Prepare::never, Prepare::each_bin, Prepare::sometimes}) {
          SCOPED_TRACE(kernel + ", " + std::to_string(threads) + " threads, prepare " +
                       std::to_string(static_cast<int>(prepare)));
          native->reset(*state, 0);  // each time in the middle of a patch
          ASSERT_NO_FATAL_FAILURE(expect_same_bits(pushed(*native, *state, trials.inputs[0], prepare), expected));
        }
      }
    }
  });
}

// A copy in the middle of a patch goes on by itself; the original, fed with something else, is not disturbed, nor is a
// state of another session.
TEST_P(Int8Engines, CopiedStatesGoTheirOwnWay) {
  for_each_model([](const QuantizedModel& model) {
    const DecoderConfig& config = model.config;
    const std::int64_t before = config.bins_per_step() + config.bins_between_steps() + config.bins_per_step() / 2;
    const std::int64_t last = static_cast<std::int64_t>(config.sessions.size()) - 1;
    Trials trials = random_trials(config, {before + 30, before + 30, 25}, 120);
    std::copy_n(trials.features[0].begin(), before * config.n_input_features, trials.features[1].begin());
    for (EngineInput& input : trials.inputs) input.session_index = last;
    trials.inputs[2].session_index = 0;
    const std::vector<Logits> expected = engine_of(model, "reference")->decode(trials.inputs);
    for (const std::string name : {"reference", "native"}) {
      SCOPED_TRACE(name);
      const std::unique_ptr<Engine> engine = engine_of(model, name, "", name == "native" ? 2 : 1);
      const auto part = [&](std::size_t i, std::int64_t begin, std::int64_t end) {
        return EngineInput{trials.inputs[i].features + begin * config.n_input_features, end - begin, 0};
      };
      const std::unique_ptr<EngineState> original = engine->make_state(last);
      const Logits head = pushed(*engine, *original, part(0, 0, before), Prepare::sometimes);
      const std::unique_ptr<EngineState> copy = engine->copy(*original);
      const std::unique_ptr<EngineState> other = engine->make_state(0);
      Logits ends[2] = {head, head}, third{0, config.n_classes, {}};
      for (std::int64_t t = 0; t < 30; ++t) {
        for (const std::size_t i : {0U, 1U}) {
          const Logits one =
              pushed(*engine, i == 0 ? *original : *copy, part(i, before + t, before + t + 1), Prepare::sometimes);
          ends[i].steps += one.steps;
          ends[i].values.insert(ends[i].values.end(), one.values.begin(), one.values.end());
        }
        if (t >= 25) continue;
        const Logits one = pushed(*engine, *other, part(2, t, t + 1), Prepare::each_bin);
        third.steps += one.steps;
        third.values.insert(third.values.end(), one.values.begin(), one.values.end());
      }
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(ends[0], expected[0]));
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(ends[1], expected[1]));
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(third, expected[2]));
      ASSERT_NE(ends[0].values, ends[1].values);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, Int8Engines, ::testing::ValuesIn(kShapes),
                         [](const ::testing::TestParamInfo<NamedShape>& shape) { return shape.param.name; });

// Rows whose scale has a rule of its own: all zero, and too small for a scale.
TEST(Int8EngineRows, ZeroAndTinyFeaturesAndStates) {
  for (const QuantizationOptions& options : int8_ways()) {
    SCOPED_TRACE(text_of(options));
    const Shape shape{20, 24, 2, 9, 3, 2, 1};
    Checkpoint checkpoint = random_checkpoint(shape, 4);
    std::fill(checkpoint.weights.h0.begin(), checkpoint.weights.h0.end(), 0.0F);
    std::fill(checkpoint.weights.day_biases[0].begin(), checkpoint.weights.day_biases[0].end(), 0.0F);
    const QuantizedModel model =
        quantize(checkpoint, options, options.is_static() ? std::optional(tight_scales(shape)) : std::nullopt);
    for (const float value : {0.0F, 0x1p-149F, 0x1p-126F, -0x1p-101F, 0x1p-100F, 1e30F}) {
      const std::vector<float> features(static_cast<std::size_t>(40 * shape.features), value);
      const EngineInput input{features.data(), 40, 0};
      const std::vector<Logits> expected = engine_of(model, "reference")->decode({&input, 1});
      for (const std::string& kernel : kernels_here()) {
        SCOPED_TRACE(kernel + ", features of " + std::to_string(value));
        ASSERT_NO_FATAL_FAILURE(expect_same_bits(engine_of(model, "native", kernel)->decode({&input, 1}), expected));
      }
    }
  }
}

bool all_finite(const Logits& logits) {
  return std::all_of(logits.values.begin(), logits.values.end(), [](float v) { return std::isfinite(v); });
}

/// What is put at the largest magnitude that files and recordings may have.
struct Extreme {
  const char* name;
  void (*change)(DecoderWeights& weights);
  float feature;  // one in each bin
  bool overflows;
};

constexpr float kLargest = kLargestMagnitude;
const Extreme kExtremes[] = {
    {"features", [](DecoderWeights&) {}, kLargest, false},
    {"day weight", [](DecoderWeights& w) { w.day_weights[0].values[3] = kLargest; }, 1.0F, false},
    {"day bias", [](DecoderWeights& w) { w.day_biases[0][3] = -kLargest; }, -kLargest, false},
    {"input weight", [](DecoderWeights& w) { w.gru[0].weight_ih.values[7] = kLargest; }, kLargest, false},
    {"biases", [](DecoderWeights& w) { w.gru[0].bias_ih[30] = w.gru[1].bias_hh[60] = -kLargest; }, 1.0F, false},
    {"output layer", [](DecoderWeights& w) { w.out_weight.values[2] = w.out_bias[5] = kLargest; }, 1.0F, false},
    {"h0", [](DecoderWeights& w) { w.h0[1] = kLargest; }, 1.0F, false},
    {"features and day weight", [](DecoderWeights& w) { w.day_weights[0].values[3] = -kLargest; }, kLargest, true},
    {"h0 and recurrent weight", [](DecoderWeights& w) { w.h0[1] = w.gru[1].weight_hh.values[5] = kLargest; }, 1.0F,
     true},
};

// Every kernel has the reference's bits or, where the reference overflows, no number that could be taken for a logit
// either; batches and single bins alike.
TEST(Int8EngineRows, TheLargestWeightsAndFeatures) {
  const Shape shape{20, 24, 2, 9, 3, 2, 1};
  constexpr std::int64_t kBins = 41;
  for (const Extreme& extreme : kExtremes) {
    Checkpoint checkpoint = random_checkpoint(shape, 4);
    extreme.change(checkpoint.weights);
    std::vector<float> features = random_features(kBins, shape.features, 5);
    for (std::int64_t t = 0; t < kBins; ++t) {
      features[static_cast<std::size_t>(t * shape.features + t % 20)] = extreme.feature;
    }
    const EngineInput input{features.data(), kBins, 0};
    bool some_overflowed = false;
    for (const QuantizationOptions& options : int8_ways()) {
      for (const bool wide_scales : {false, true}) {
        SCOPED_TRACE(std::string(extreme.name) + ", " + text_of(options) + (wide_scales ? ", wide scales" : ""));
        if (wide_scales && !options.is_static()) continue;
        std::optional<ActivationScales> scales;
        if (options.is_static()) scales = tight_scales(shape);
        if (wide_scales) *scales = {kLargest / 127, 1.0F / 127, {kLargest / 127, kLargest / 127}};
        const QuantizedModel model = quantize(checkpoint, options, scales);
        const Logits expected = engine_of(model, "reference")->decode({&input, 1}).at(0);
        const bool overflowed = !all_finite(expected);
        some_overflowed |= overflowed && !wide_scales;  // the product of two wide scales overflows by itself
        for (const std::string& kernel : kernels_here()) {
          for (const int threads : {1, 2}) {
            SCOPED_TRACE(kernel + ", " + std::to_string(threads) + " threads");
            const std::unique_ptr<Engine> native = engine_of(model, "native", kernel, threads);
            const Logits whole = native->decode({&input, 1}).at(0);
            const std::unique_ptr<EngineState> state = native->make_state(0);
            const Logits by_bins = pushed(*native, *state, input, Prepare::sometimes);
            if (overflowed) {
              EXPECT_FALSE(all_finite(whole));
              EXPECT_FALSE(all_finite(by_bins));
              native->reset(*state, 0);  // the next trial is its own
              const std::vector<float> zeros(features.size(), 0.0F);
              const EngineInput next{zeros.data(), kBins, 0};
              const Logits alone = engine_of(model, "reference")->decode({&next, 1}).at(0);
              if (all_finite(alone)) {
                ASSERT_NO_FATAL_FAILURE(expect_same_bits(pushed(*native, *state, next, Prepare::never), alone));
                ASSERT_NO_FATAL_FAILURE(expect_same_bits(native->decode({&next, 1}).at(0), alone));
              }
            } else {
              ASSERT_NO_FATAL_FAILURE(expect_same_bits(whole, expected));
              ASSERT_NO_FATAL_FAILURE(expect_same_bits(by_bins, expected));
            }
          }
        }
      }
    }
    EXPECT_EQ(some_overflowed, extreme.overflows) << extreme.name;
  }
}

TEST(Int8EngineRows, StateAtTheStartIsH0) {
  const Shape shape{5, 9, 2, 4, 2, 1, 1};
  Checkpoint checkpoint = random_checkpoint(shape, 8);
  const Trials trials = random_trials(checkpoint.config, {2}, 3);
  const Logits with_h0 = engine_of(quantize(checkpoint, {}), "native")->decode(trials.inputs).at(0);
  std::fill(checkpoint.weights.h0.begin(), checkpoint.weights.h0.end(), 0.0F);
  const Logits without = engine_of(quantize(checkpoint, {}), "native")->decode(trials.inputs).at(0);
  EXPECT_NE(with_h0.values, without.values);
}

// ---- which code runs ----

std::atomic<int> products_counted{0};
const Kernel* counted_kernel = nullptr;

TEST(NativeEngine, ProductsGoThroughItsKernel) {
  const QuantizedModel model = random_model({}, {}, 6);
  const Trials trials = random_trials(model.config, {12}, 3);
  for (const Kernel* kernel : supported_kernels()) {
    counted_kernel = kernel;
    Kernel counting = *kernel;
    counting.int8.multiply_tile = [](const TileArguments& tile) {
      ++products_counted;
      counted_kernel->int8.multiply_tile(tile);
    };
    counting.int8.multiply_any_tile = [](const TileArguments& tile) {
      ++products_counted;
      counted_kernel->int8.multiply_any_tile(tile);
    };
    ThreadTeam team(1);
    const NativeModel native(model, ModelWeights(model), counting, team);
    products_counted = 0;
    TrialDecoder(native, team).decode(trials.inputs);
    EXPECT_GT(products_counted, 0) << kernel->name;
    products_counted = 0;
    NativeState state(native);
    reset_state(native, state, 0);
    std::vector<float> logits(static_cast<std::size_t>(model.config.n_classes));
    NativeStream(native, team).push(state, trials.features[0].data(), logits.data());
    EXPECT_GT(products_counted, 0) << kernel->name;
  }
}

TEST(EngineChoice, WithoutLibTorchThereAreTwoEngines) {
  const QuantizedModel model = random_model({}, {}, 6);
  EXPECT_EQ(make_int8_engine(model, {"", "", 1, -1})->name(), "native");
  for (const std::string name : {"reference", "native"}) {
    EXPECT_EQ(make_int8_engine(model, {name, "", 1, -1})->name(), name);
  }
  expect_contains(message_of<UsageError>([&] { make_int8_engine(model, {"libtorch", "", 1, -1}); }), "libtorch");
  QuantizationOptions half;
  half.dtype = Dtype::float16;
  expect_contains(message_of<UsageError>([&] { make_int8_engine(random_model({}, half, 6), {}); }), "float16");
}

}  // namespace
}  // namespace brainquant
