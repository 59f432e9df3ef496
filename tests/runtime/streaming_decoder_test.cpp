// Bin by bin through the public decoder, against smoothing and decoding the whole trial at once.
#include "brainquant/runtime/streaming_decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "brainquant/support/error.h"
#include "model/smoothing.h"
#include "runtime/random_checkpoint.h"
#include "torch/any_engine.h"

namespace brainquant {
namespace {

constexpr std::int64_t kBins = 61;

struct Shape {
  const char* name;
  std::int64_t patch_size;
  std::int64_t patch_stride;
  bool smooth_data;
};

DecoderConfig config_of(const Shape& shape) {
  DecoderConfig config;
  config.n_input_features = 21;
  config.n_units = 19;
  config.n_layers = 2;
  config.n_classes = 41;
  config.patch_size = shape.patch_size;
  config.patch_stride = shape.patch_stride;
  config.sessions = {"t15.2023.08.11", "t15.2023.08.13", "t15.2023.08.18"};
  config.smoothing.smooth_data = shape.smooth_data;
  return config;
}

constexpr Shape kUsual{"usual", 5, 2, true};

struct Case {
  std::string method;
  std::string engine;
  Shape shape;
};
std::string describe(const Case& c) { return c.method + "_" + c.engine + "_" + c.shape.name; }
void PrintTo(const Case& c, std::ostream* out) { *out << describe(c); }

std::shared_ptr<Engine> engine_of(const Case& c) {
  const Checkpoint checkpoint = testing::random_checkpoint(config_of(c.shape));
  EngineOptions options;
  options.engine = c.engine;
  options.threads = 2;
  if (c.method == "fp32") return make_engine(checkpoint.config, checkpoint.weights, options);
  for (const QuantizationOptions& method : all_methods()) {
    if (method.method_name() == c.method) return make_engine(testing::quantized(checkpoint, method), options);
  }
  throw UsageError("no method " + c.method);
}

std::vector<float> random_trial(std::int64_t bins, std::uint32_t seed) {
  std::mt19937 random(seed);
  return testing::normal_values(bins * config_of(kUsual).n_input_features, 1.0F, random);
}

std::span<const float> bin_of(const std::vector<float>& trial, std::int64_t t) {
  const auto features = static_cast<std::size_t>(config_of(kUsual).n_input_features);
  return {trial.data() + static_cast<std::size_t>(t) * features, features};
}

/// Logits of bins [begin, end), pushed one after the other.
std::vector<float> pushed(StreamingDecoder& decoder, const std::vector<float>& trial, std::int64_t begin,
                          std::int64_t end, bool prepares = false) {
  std::vector<float> logits;
  for (std::int64_t t = begin; t < end; ++t) {
    const std::span<const float> step = decoder.push(bin_of(trial, t));
    logits.insert(logits.end(), step.begin(), step.end());
    if (prepares) decoder.prepare();
  }
  return logits;
}

std::vector<float> whole(Engine& engine, const std::vector<float>& trial, std::int64_t session) {
  const DecoderConfig& config = engine.config();
  std::vector<float> smoothed;
  const std::int64_t bins = smooth(trial.data(), static_cast<std::int64_t>(trial.size()) / config.n_input_features,
                                   config.n_input_features, smoothing_taps(config.smoothing), smoothed);
  const EngineInput input{smoothed.data(), bins, session};
  return engine.decode({&input, 1})[0].values;
}

class StreamingDecoderCase : public ::testing::TestWithParam<Case> {
 protected:
  void expect_same(const std::vector<float>& found, const std::vector<float>& expected) const {
    ASSERT_EQ(found.size(), expected.size());
    const bool exact = GetParam().engine != "libtorch";
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (exact) {
        ASSERT_EQ(found[i], expected[i]) << "value " << i;
      } else {
        ASSERT_NEAR(found[i], expected[i], 1e-4) << "value " << i;
      }
    }
  }
};

TEST_P(StreamingDecoderCase, GivesTheWholeTrialsLogits) {
  const std::shared_ptr<Engine> engine = engine_of(GetParam());
  const std::vector<float> trial = random_trial(kBins, 7);
  const std::vector<float> expected = whole(*engine, trial, 1);
  ASSERT_FALSE(expected.empty());
  StreamingDecoder decoder(engine, "t15.2023.08.13");
  expect_same(pushed(decoder, trial, 0, kBins), expected);
  EXPECT_EQ(decoder.bins(), kBins);
  EXPECT_EQ(decoder.steps() * engine->config().n_classes, static_cast<std::int64_t>(expected.size()));
  decoder.reset();
  expect_same(pushed(decoder, trial, 0, kBins, true), expected);
}

TEST_P(StreamingDecoderCase, FirstLogitsComeWithTheBinSaid) {
  const std::shared_ptr<Engine> engine = engine_of(GetParam());
  const std::vector<float> trial = random_trial(kBins, 8);
  // Nine taps at the default smoothing, one without.
  const std::int64_t bins =
      (GetParam().shape.smooth_data ? 9 : 1) + std::max<std::int64_t>(GetParam().shape.patch_size, 1) - 1;
  EXPECT_EQ(bins_before_first_logits(engine->config()), bins);
  StreamingDecoder decoder(engine, 0);
  EXPECT_TRUE(pushed(decoder, trial, 0, bins - 1).empty());
  EXPECT_EQ(decoder.push(bin_of(trial, bins - 1)).size(), 41U);
}

TEST_P(StreamingDecoderCase, CopiesGoOnByThemselves) {
  const std::shared_ptr<Engine> engine = engine_of(GetParam());
  const std::vector<float> trial = random_trial(kBins, 9);
  std::vector<float> other = random_trial(kBins, 10);
  constexpr std::int64_t kFork = 23;
  std::copy_n(trial.begin(), kFork * engine->config().n_input_features, other.begin());
  StreamingDecoder decoder(engine, 2);
  const std::vector<float> head = pushed(decoder, trial, 0, kFork);
  StreamingDecoder copy(decoder);
  StreamingDecoder assigned(engine, 0);
  assigned = decoder;
  std::vector<float> tail, other_tail;
  for (std::int64_t t = kFork; t < kBins; ++t) {  // by turns, so that whatever they shared would show
    for (const float value : decoder.push(bin_of(trial, t))) tail.push_back(value);
    for (const float value : copy.push(bin_of(other, t))) other_tail.push_back(value);
  }
  const auto joined = [&](const std::vector<float>& end) {
    std::vector<float> all = head;
    all.insert(all.end(), end.begin(), end.end());
    return all;
  };
  expect_same(joined(tail), whole(*engine, trial, 2));
  expect_same(joined(other_tail), whole(*engine, other, 2));
  expect_same(joined(pushed(assigned, other, kFork, kBins)), whole(*engine, other, 2));
  EXPECT_EQ(assigned.session_index(), 2);
  EXPECT_EQ(assigned.bins(), kBins);
}

TEST_P(StreamingDecoderCase, ResetForgetsTheTrialBefore) {
  const std::shared_ptr<Engine> engine = engine_of(GetParam());
  const std::vector<float> trial = random_trial(kBins, 11);
  StreamingDecoder decoder(engine, 0);
  pushed(decoder, random_trial(kBins, 12), 0, 37);
  decoder.reset(2);
  EXPECT_EQ(decoder.bins(), 0);
  EXPECT_EQ(decoder.steps(), 0);
  expect_same(pushed(decoder, trial, 0, kBins), whole(*engine, trial, 2));
}

TEST_P(StreamingDecoderCase, RefusedBinsLeaveTheTrialAsItWas) {
  const std::shared_ptr<Engine> engine = engine_of(GetParam());
  const std::vector<float> trial = random_trial(kBins, 13);
  StreamingDecoder decoder(engine, 1);
  std::vector<float> logits = pushed(decoder, trial, 0, 20);
  std::vector<float> bad(bin_of(trial, 20).begin(), bin_of(trial, 20).end());
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), 1.00001e30F, -3e38F}) {
    bad[17] = value;
    try {
      decoder.push(bad);
      FAIL() << "took " << value;
    } catch (const WorkError& error) {
      EXPECT_NE(std::string(error.what()).find("bin 20, feature 17"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(decoder.push(std::span<const float>(bad).first(20)), UsageError);
  EXPECT_THROW(decoder.reset(3), UsageError);
  EXPECT_EQ(decoder.bins(), 20);
  const std::vector<float> rest = pushed(decoder, trial, 20, kBins);
  logits.insert(logits.end(), rest.begin(), rest.end());
  expect_same(logits, whole(*engine, trial, 1));
}

INSTANTIATE_TEST_SUITE_P(
    Engines, StreamingDecoderCase,
    ::testing::Values(Case{"dynamic_qint8", "reference", kUsual}, Case{"dynamic_qint8", "native", kUsual},
                      Case{"static_qint8", "native", kUsual}, Case{"static_per_channel_qint8", "native", kUsual},
                      Case{"static_qint8", "native", {"gaps", 3, 5, true}},
                      Case{"dynamic_qint8", "native", {"no_patches", 0, 0, true}},
                      Case{"static_qint8", "native", {"unsmoothed", 5, 2, false}},
                      Case{"dynamic_float16", "libtorch", kUsual}, Case{"fp32", "libtorch", kUsual}),
    [](const auto& test) { return describe(test.param); });

TEST(StreamingDecoder, RefusesSessionsThatTheModelLacks) {
  const std::shared_ptr<Engine> engine = engine_of({"dynamic_qint8", "native", kUsual});
  EXPECT_THROW(StreamingDecoder(engine, -1), UsageError);
  EXPECT_THROW(StreamingDecoder(engine, 3), UsageError);
  EXPECT_THROW(StreamingDecoder(engine, "t15.2023.08.12"), UsageError);
}

TEST(StreamingDecoder, TakesTheLargestFeatures) {
  const std::shared_ptr<Engine> engine = engine_of({"static_qint8", "native", kUsual});
  std::vector<float> trial = random_trial(kBins, 14);
  for (std::size_t i = 0; i < trial.size(); i += 50) trial[i] = kLargestMagnitude;
  StreamingDecoder decoder(engine, 0);
  EXPECT_EQ(pushed(decoder, trial, 0, kBins), whole(*engine, trial, 0));
}

}  // namespace
}  // namespace brainquant
