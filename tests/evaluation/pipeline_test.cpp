#include "evaluation/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include "brainquant/support/error.h"
#include "evaluation/bounded_queue.h"
#include "model/checkpoint.h"
#include "model/smoothing.h"
#include "support/atomic_file.h"
#include "support/thread_limit.h"

namespace brainquant {
namespace {

const std::filesystem::path kStudy = std::string(BRAINQUANT_FIXTURES) + "/small_study";

DecoderConfig study_config() {
  const std::filesystem::path path = kStudy / "model/checkpoint/args.yaml";
  return parse_args_yaml(read_file(path, 1 << 20), path.string());
}

DatasetOptions study_data() {
  DatasetOptions options;
  options.data_dir = kStudy / "data";
  options.csv_path = kStudy / "corpora.csv";
  return options;
}

// Logits that only this trial's features and session could give: class c of step s is the sum of feature c of the
// step's bins plus the session.
std::vector<float> step_logits(const DecoderConfig& config, const float* first_bin, std::int64_t session) {
  std::vector<float> row(static_cast<std::size_t>(config.n_classes), static_cast<float>(session));
  for (std::int64_t c = 0; c < config.n_input_features; ++c) {
    for (std::int64_t b = 0; b < config.bins_per_step(); ++b)
      row[static_cast<std::size_t>(c)] += first_bin[b * config.n_input_features + c];
  }
  return row;
}

struct FakeState : EngineState {
  std::int64_t session = 0;
  std::vector<float> bins;
};

class FakeEngine : public Engine {
 public:
  explicit FakeEngine(DecoderConfig config) : config_(std::move(config)) {}
  std::string name() const override { return "fake"; }
  std::string instructions() const override { return "none"; }
  const DecoderConfig& config() const override { return config_; }

  std::vector<Logits> decode(std::span<const EngineInput> batch) override {
    if (fail_at_batch-- == 0) throw WorkError("the engine failed");
    largest_batch = std::max(largest_batch, batch.size());
    std::vector<Logits> result;
    for (const EngineInput& input : batch) {
      Logits logits{config_.steps_of(input.bins), config_.n_classes, {}};
      for (std::int64_t s = 0; s < logits.steps; ++s) {
        const auto row = step_logits(
            config_, input.features + s * config_.bins_between_steps() * config_.n_input_features, input.session_index);
        logits.values.insert(logits.values.end(), row.begin(), row.end());
      }
      if (not_finite) logits.values.back() = std::nanf("");
      result.push_back(std::move(logits));
    }
    return result;
  }

  std::unique_ptr<EngineState> make_state(std::int64_t session_index) const override {
    auto state = std::make_unique<FakeState>();
    state->session = session_index;
    return state;
  }
  void reset(EngineState& state, std::int64_t session_index) const override {
    static_cast<FakeState&>(state) = {};
    static_cast<FakeState&>(state).session = session_index;
  }
  std::unique_ptr<EngineState> copy(const EngineState& state) const override {
    return std::make_unique<FakeState>(static_cast<const FakeState&>(state));
  }
  bool push(EngineState& state, const float* bin, float* logits) override {
    auto& s = static_cast<FakeState&>(state);
    s.bins.insert(s.bins.end(), bin, bin + config_.n_input_features);
    const auto bins = static_cast<std::int64_t>(s.bins.size()) / config_.n_input_features;
    const std::int64_t first = bins - config_.bins_per_step();
    if (first < 0 || first % config_.bins_between_steps() != 0) return false;
    const auto row = step_logits(config_, s.bins.data() + first * config_.n_input_features, s.session);
    std::copy(row.begin(), row.end(), logits);
    return true;
  }

  int fail_at_batch = -1;
  bool not_finite = false;
  std::size_t largest_batch = 0;

 private:
  DecoderConfig config_;
};

TEST(BoundedQueue, WaitsUntilTheLastItemIsTaken) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.wait_until_empty());
  queue.push(1);
  std::atomic<bool> taken{false};
  std::thread consumer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    taken = true;
    queue.pop();
  });
  EXPECT_TRUE(queue.wait_until_empty());
  EXPECT_TRUE(taken);
  consumer.join();
  queue.push(2);
  queue.stop();
  EXPECT_FALSE(queue.wait_until_empty());
}

class PipelineTest : public ::testing::Test {
 protected:
  DecoderConfig config_ = study_config();
  Dataset dataset_{config_, study_data()};
  FakeEngine engine_{config_};
  StepTimes times_;

  std::vector<std::size_t> all() const {
    std::vector<std::size_t> order(dataset_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    return order;
  }
  std::map<std::size_t, DecodedTrial> run(const PipelineOptions& options) {
    std::map<std::size_t, DecodedTrial> decoded;
    run_pipeline(
        dataset_, all(), engine_, options,
        [&](std::vector<DecodedTrial> batch) {
          for (DecodedTrial& trial : batch) decoded.emplace(trial.trial.index, std::move(trial));
        },
        times_);
    return decoded;
  }
  // Straight from the data set, one trial after the other.
  std::vector<float> alone(std::size_t index) {
    const Trial trial = dataset_.read(index);
    std::vector<float> smoothed;
    const std::int64_t bins = smooth(trial.features.data(), trial.bins, config_.n_input_features,
                                     smoothing_taps(config_.smoothing), smoothed);
    return FakeEngine(config_).decode(std::vector<EngineInput>{{smoothed.data(), bins, trial.session_index}})[0].values;
  }
};

TEST_F(PipelineTest, EveryTrialGetsItsOwnLogits) {
  for (const std::int64_t batch_size : {1, 3, 8, 100}) {
    for (const bool streaming : {false, true}) {
      for (const std::size_t window : {std::size_t{1}, std::size_t{1} << 30}) {
        const auto decoded = run({batch_size, streaming, window});
        ASSERT_EQ(decoded.size(), 18U);
        EXPECT_LE(engine_.largest_batch, static_cast<std::size_t>(batch_size));
        for (const auto& [index, trial] : decoded) {
          EXPECT_EQ(trial.logits.values, alone(index));
          EXPECT_EQ(trial.trial.session + "/" + trial.trial.name, dataset_.label(index));
          EXPECT_EQ(trial.trial.features.capacity(), 0U);
          EXPECT_EQ(trial.logits.steps == 0, trial.model_seconds == 0);
        }
        engine_.largest_batch = 0;
      }
    }
  }
}

TEST_F(PipelineTest, StepTimesLeaveOutTheFirstStepOfATrial) {
  const auto decoded = run({4, true});
  std::size_t steps = 0;
  for (const auto& [index, trial] : decoded)
    steps += trial.logits.steps > 0 ? static_cast<std::size_t>(trial.logits.steps - 1) : 0;
  EXPECT_EQ(times_.work.size(), steps);
  EXPECT_EQ(times_.last_bin.size(), steps);
  for (std::size_t i = 0; i < steps; ++i) EXPECT_LE(times_.last_bin[i], times_.work[i]);
  EXPECT_EQ(measure_steps(dataset_, engine_, 7).work.size(), 7U);
  EXPECT_EQ(measure_steps(dataset_, engine_, 1'000'000).work.size(), steps);
}

TEST_F(PipelineTest, AThreadThatCannotBeStartedEndsTheRun) {
  dataset_.read(0);  // opens its file, which the child's user may not
  std::set<std::string> problems;
  for (const int threads : {0, 1, 2, 3}) {
    problems.insert(testing::problem_with_threads(threads, [&] {
      StepTimes times;
      run_pipeline(
          dataset_, {0}, engine_, {}, [](auto) {}, times);
    }));
    if (::geteuid() != 0) break;
  }
  if (problems.contains("no limit")) GTEST_SKIP() << "the system sets no limit";
  const auto problem_of = [](const std::string& purpose) {
    return "cannot start a thread for " + purpose + ": Resource temporarily unavailable";
  };
  EXPECT_TRUE(problems.contains(problem_of("reading trials")));
  const std::set<std::string> possible = {"", problem_of("reading trials"), problem_of("preparing trials"),
                                          problem_of("storing results")};
  for (const std::string& problem : problems) EXPECT_TRUE(possible.contains(problem)) << problem;
}

TEST_F(PipelineTest, FailuresOfAnyStageEndTheRun) {
  engine_.fail_at_batch = 2;
  std::size_t consumed = 0;
  const auto count = [&](std::vector<DecodedTrial> batch) { consumed += batch.size(); };
  EXPECT_THROW(run_pipeline(dataset_, all(), engine_, {2, false}, count, times_), WorkError);
  EXPECT_EQ(consumed, 4U);  // the two batches before
  engine_.fail_at_batch = -1;
  const auto refuse = [&](std::vector<DecodedTrial>) { throw FileError("results", "disk full"); };
  EXPECT_THROW(run_pipeline(dataset_, all(), engine_, {1, false}, refuse, times_), FileError);
  engine_.not_finite = true;
  EXPECT_THROW(run({2, false}), WorkError);
  engine_.not_finite = false;
  Log log;
  Progress progress;
  CancelToken cancel;
  const auto interrupt = [&](std::vector<DecodedTrial>) { cancel.cancel(); };
  EXPECT_THROW(run_pipeline(dataset_, all(), engine_, {1, false}, interrupt, times_, RunContext(log, progress, cancel)),
               Interrupted);
}

}  // namespace
}  // namespace brainquant
