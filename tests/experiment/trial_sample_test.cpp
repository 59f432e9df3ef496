#include "experiment/trial_sample.h"

#include <gtest/gtest.h>

#include <limits>

#include "brainquant/support/error.h"
#include "support/error_message.h"

namespace brainquant {
namespace {

/// Its one step's logit is the trial's first feature.
class EchoEngine : public Engine {
 public:
  std::string name() const override { return "echo"; }
  std::string instructions() const override { return ""; }
  const DecoderConfig& config() const override { return config_; }
  std::vector<Logits> decode(std::span<const EngineInput> batch) override {
    std::vector<Logits> logits;
    for (const EngineInput& trial : batch) logits.push_back({1, 1, {trial.features[0]}});
    return logits;
  }
  std::unique_ptr<EngineState> make_state(std::int64_t /*session_index*/) const override { return nullptr; }
  void reset(EngineState& /*state*/, std::int64_t /*session_index*/) const override {}
  std::unique_ptr<EngineState> copy(const EngineState& /*state*/) const override { return nullptr; }
  bool push(EngineState& /*state*/, const float* /*bin*/, float* /*logits*/) override { return false; }

 private:
  DecoderConfig config_;
};

std::vector<SampledTrial> trials_of_lengths(const std::vector<std::int64_t>& lengths) {
  std::vector<SampledTrial> trials;
  for (const std::int64_t bins : lengths) {
    SampledTrial& trial = trials.emplace_back();
    trial.label = "s/trial_" + std::to_string(trials.size());
    trial.bins = bins;
    trial.steps = 1;
    trial.features.assign(static_cast<std::size_t>(bins), static_cast<float>(trials.size()));
  }
  return trials;
}

TEST(TrialSample, LogitsAreOfTheirTrialsWhateverTheLengths) {
  const std::vector<SampledTrial> trials = trials_of_lengths({3, 9, 1, 7, 7, 2, 30, 4, 5, 6, 8, 11});
  EchoEngine engine;
  const std::vector<Logits> logits = decode_sample(engine, trials, {});
  ASSERT_EQ(logits.size(), trials.size());
  for (std::size_t i = 0; i < trials.size(); ++i) EXPECT_EQ(logits[i].values[0], trials[i].features[0]) << i;
}

TEST(TrialSample, LogitsThatAreNotFiniteNameTheTrial) {
  std::vector<SampledTrial> trials = trials_of_lengths({3, 9, 1});
  trials[1].features[0] = std::numeric_limits<float>::quiet_NaN();
  EchoEngine engine;
  testing::expect_contains(testing::message_of<WorkError>([&] { decode_sample(engine, trials, {}); }),
                           "s/trial_2: the decoder's logits are not finite");
}

// Errors 1 and 0 of 4 and 6 phonemes become 2 and 3: from 10 to 50 %.
TEST(TrialSample, RatesAndTheirDifferenceHandWorked) {
  std::vector<SampledTrial> trials = trials_of_lengths({1, 1});
  trials[0].phonemes = {1, 2, 3, 4};
  trials[1].phonemes = {1, 2, 3, 4, 5, 6};
  trials[0].session = "a";
  trials[1].session = "b";
  const std::vector<TrialErrors> before = {{1, 0}, {0, 0}};
  const std::vector<TrialErrors> after = {{2, 0}, {3, 0}};
  EXPECT_EQ(rate_of(trials, before, kPhonemeErrors).rate(), 10);
  const RateDifference difference = difference_of(trials, before, after, kPhonemeErrors);
  EXPECT_EQ(difference.difference, 40);
  EXPECT_EQ(difference.low, 25);
  EXPECT_EQ(difference.high, 50);
  ASSERT_TRUE(difference.over_sessions.has_value());
  EXPECT_EQ(difference.over_sessions->low, 25);
  EXPECT_EQ(difference.over_sessions->high, 50);
}

}  // namespace
}  // namespace brainquant
