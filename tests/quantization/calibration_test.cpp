// Calibration over recordings against PyTorch's activations of the same trials.
#include "quantization/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "support/error_message.h"
#include "support/float_decoder_answers.h"

namespace brainquant {
namespace {

using testing::expect_contains;
using testing::FloatDecoderAnswers;
using testing::message_of;

struct KeptInfo : Log {
  void info(const std::string& message) override { all += message + "\n"; }
  std::string all;
};

Checkpoint checkpoint() { return load_checkpoint(FloatDecoderAnswers::folder() / "model"); }

DatasetOptions train_files() {
  DatasetOptions options;
  options.data_dir = FloatDecoderAnswers::folder() / "data";
  options.split = Split::train;
  return options;
}

CalibrationResult calibrated(const Checkpoint& model, const CalibrationOptions& options,
                             const RunContext& context = {}) {
  Dataset train(model.config, train_files());
  return calibrate(model, train, options, libtorch_calibration(), context);
}

std::vector<float> all_scales(const CalibrationResult& result) {
  std::vector<float> scales = {result.scales.day_input, result.scales.step_input};
  scales.insert(scales.end(), result.scales.hidden.begin(), result.scales.hidden.end());
  return scales;
}

void expect_pytorchs_maxima(const CalibrationResult& result) {
  const FloatDecoderAnswers pytorch;
  std::vector<double> maxima(2 + result.scales.hidden.size(), 0.0);
  for (std::size_t i = 2; i < maxima.size(); ++i) maxima[i] = pytorch.json.at("h0");
  for (const std::string& trial : result.trials) {
    const nlohmann::json& own = pytorch.json.at("maxima").at(trial);
    for (std::size_t i = 0; i < maxima.size() && !own.is_null(); ++i)
      maxima[i] = std::max(maxima[i], own[i].get<double>());
  }
  const std::vector<float> scales = all_scales(result);
  for (std::size_t i = 0; i < maxima.size(); ++i) EXPECT_NEAR(scales[i] * 127 / maxima[i], 1, 1e-5) << i;
}

TEST(Calibration, MinmaxFindsPytorchsLargestActivations) {
  const CalibrationResult all = calibrated(checkpoint(), {});
  EXPECT_EQ(all.trials.size(), 9U);
  expect_pytorchs_maxima(all);
  CalibrationOptions two;
  two.samples = 2;
  const CalibrationResult few = calibrated(checkpoint(), two);
  EXPECT_EQ(few.trials, (std::vector<std::string>{"t15.2023.08.11/trial_0000", "t15.2023.08.18/trial_0000"}));
  expect_pytorchs_maxima(few);
  EXPECT_NE(all_scales(few), all_scales(all));
}

TEST(Calibration, HashIsPythonsOfWhatWasRead) {
  const std::string expected = FloatDecoderAnswers().json.at("calibration_sha256");
  const Checkpoint model = checkpoint();
  EXPECT_EQ(calibrated(model, {}).sha256, expected);
  Dataset train(model.config, train_files());
  EXPECT_EQ(calibration_sha256(train, 1000), expected);
  EXPECT_NE(calibration_sha256(train, 8), expected);
}

TEST(Calibration, BatchAndThreadsDoNotMatter) {
  Checkpoint model = checkpoint();
  // An h0 large enough that it decides the percentile if it is counted more than once.
  std::fill(model.weights.h0.begin(), model.weights.h0.end(), 0.99F);
  for (const ObserverKind kind : {ObserverKind::minmax, ObserverKind::percentile, ObserverKind::histogram}) {
    CalibrationOptions options;
    options.observer = kind;
    const CalibrationResult expected = calibrated(model, options);
    for (const std::int64_t batch_size : {1, 2, 5, 100}) {
      for (const int threads : {1, 2, 3, 8}) {
        options.batch_size = batch_size;
        options.threads = threads;
        const CalibrationResult found = calibrated(model, options);
        EXPECT_EQ(all_scales(found), all_scales(expected))
            << name_of(kind) << ", batches of " << batch_size << ", " << threads << " threads";
        EXPECT_EQ(found.trials, expected.trials);
        EXPECT_EQ(found.sha256, expected.sha256);
      }
    }
  }
}

TEST(Calibration, TrialsAreSpreadOverSessionsAndWithinThem) {
  const Checkpoint model = checkpoint();
  const Dataset train(model.config, train_files());  // 7 trials of the first session, 2 of the last
  const auto numbers = [&](std::int64_t samples) {   // of the trials: the first session's, then the last one's from 100
    std::vector<int> chosen;
    for (const std::size_t i : choose_calibration_trials(train, samples)) {
      chosen.push_back(std::stoi(train.label(i).substr(train.label(i).size() - 4)) +
                       (train.session_index(i) == 2 ? 100 : 0));
    }
    return chosen;
  };
  using Numbers = std::vector<int>;
  EXPECT_EQ(numbers(1), (Numbers{0}));
  EXPECT_EQ(numbers(2), (Numbers{0, 100}));
  EXPECT_EQ(numbers(4), (Numbers{0, 3, 100, 101}));
  EXPECT_EQ(numbers(6), (Numbers{0, 1, 3, 5, 100, 101}));  // the last session has no more
  EXPECT_EQ(numbers(100), (Numbers{0, 1, 2, 3, 4, 5, 6, 100, 101}));
}

TEST(Calibration, SaysThatThereAreFewer) {
  KeptInfo log;
  Progress progress;
  const CancelToken cancel;
  calibrated(checkpoint(), {}, RunContext(log, progress, cancel));
  expect_contains(log.all, "1000 trials were asked for, the train files have 9");
  log.all.clear();
  CalibrationOptions exact;
  exact.samples = 9;
  calibrated(checkpoint(), exact, RunContext(log, progress, cancel));
  EXPECT_EQ(log.all, "");
}

TEST(Calibration, NothingIsSwallowed) {
  Checkpoint model = checkpoint();
  CalibrationOptions options;
  options.threads = 2;
  options.samples = 0;
  expect_contains(message_of<UsageError>([&] { calibrated(model, options); }), "--calibration_samples");
  options.samples = 9;
  options.batch_size = 0;
  expect_contains(message_of<UsageError>([&] { calibrated(model, options); }), "--calibration_batch_size");
  options.batch_size = 4;
  CancelToken cancel;
  Log log;
  Progress progress;
  cancel.cancel();
  EXPECT_THROW(calibrated(model, options, RunContext(log, progress, cancel)), Interrupted);
  // Weights at the end of what float holds: the day layer overflows.
  for (Matrix& day : model.weights.day_weights) {
    for (float& w : day.values) w = 3e38F;
  }
  expect_contains(message_of<WorkError>([&] { calibrated(model, options); }), "t15.2023.08.");
}

}  // namespace
}  // namespace brainquant
