#include "evaluation/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <numeric>
#include <thread>

#include "brainquant/support/error.h"
#include "evaluation/bounded_queue.h"
#include "model/smoothing.h"
#include "model/trial_reader.h"
#include "support/start_thread.h"

namespace brainquant {

namespace {

struct PreparedTrial {
  Trial trial;
  std::vector<float> smoothed;
  std::int64_t bins = 0;  // after smoothing

  std::size_t bytes() const { return smoothed.size() * sizeof(float); }
  EngineInput input() const { return {smoothed.data(), bins, trial.session_index}; }
};

using PreparedBatch = std::vector<PreparedTrial>;

PreparedTrial prepare(Trial trial, const DecoderConfig& config, const std::vector<float>& taps) {
  PreparedTrial prepared;
  prepared.bins = smooth(trial.features.data(), trial.bins, config.n_input_features, taps, prepared.smoothed);
  trial.features = std::vector<float>();  // "= {}" would keep the memory
  prepared.trial = std::move(trial);
  return prepared;
}

// Cuts what was read ahead into batches of trials of like lengths. False if nobody wants them any more.
bool push_batches(PreparedBatch window, std::int64_t batch_size, BoundedQueue<PreparedBatch>& batches) {
  std::stable_sort(window.begin(), window.end(),
                   [](const PreparedTrial& a, const PreparedTrial& b) { return a.bins < b.bins; });
  const auto size = static_cast<std::size_t>(batch_size);
  for (std::size_t begin = 0; begin < window.size(); begin += size) {
    const auto first = window.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = window.begin() + static_cast<std::ptrdiff_t>(std::min(begin + size, window.size()));
    if (!batches.push(PreparedBatch(std::make_move_iterator(first), std::make_move_iterator(last)))) return false;
  }
  // Only then is the next window begun: in memory are the batch being decoded and one window, never two.
  return batches.wait_until_empty();
}

void prepare_all(TrialReader& reader, const DecoderConfig& config, const PipelineOptions& options,
                 BoundedQueue<PreparedBatch>& batches) {
  const std::vector<float> taps = smoothing_taps(config.smoothing);
  PreparedBatch window;
  std::size_t bytes = 0;
  while (std::optional<Trial> trial = reader.next()) {
    window.push_back(prepare(std::move(*trial), config, taps));
    bytes += window.back().bytes();
    const bool full_batches = window.size() % static_cast<std::size_t>(options.batch_size) == 0;
    if (full_batches && bytes >= options.window_bytes) {
      if (!push_batches(std::move(window), options.batch_size, batches)) return;
      window = {};
      bytes = 0;
    }
  }
  push_batches(std::move(window), options.batch_size, batches);
}

// The CPU time of the calling thread by wall time.
class CoreShare {
 public:
  double value() const {
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    return wall > 0 ? std::min(1.0, (cpu_seconds() - cpu_) / wall) : 1;
  }

 private:
  static double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_seconds();
};

std::vector<Logits> decode_whole(Engine& engine, const std::vector<EngineInput>& inputs, double& seconds) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<Logits> logits = engine.decode(inputs);
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return logits;
}

Logits decode_watched(Engine& engine, const PreparedTrial& prepared, StreamWatcher* watcher, StepTimes& times,
                      double& seconds) {
  if (watcher == nullptr) return decode_bin_by_bin(engine, prepared.input(), times, seconds);
  watcher->begin(prepared.trial);
  Logits logits = decode_bin_by_bin(engine, prepared.input(), times, seconds,
                                    [&](const float* step, std::int64_t bins) { watcher->step(step, bins); });
  watcher->end();
  return logits;
}

std::vector<DecodedTrial> decode(PreparedBatch batch, Engine& engine, const PipelineOptions& options,
                                 StepTimes& times) {
  const DecoderConfig& config = engine.config();
  std::vector<EngineInput> inputs;
  std::vector<std::size_t> long_enough;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (config.steps_of(batch[i].bins) == 0) continue;
    inputs.push_back(batch[i].input());
    long_enough.push_back(i);
  }
  std::vector<Logits> logits(inputs.size());
  std::vector<double> seconds(inputs.size());
  const CoreShare core_share;
  if (options.streaming) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      logits[i] = decode_watched(engine, batch[long_enough[i]], options.watcher, times, seconds[i]);
    }
  } else if (!inputs.empty()) {
    double total = 0;
    logits = decode_whole(engine, inputs, total);
    const double bins = std::accumulate(inputs.begin(), inputs.end(), 0.0, [](double sum, const EngineInput& input) {
      return sum + static_cast<double>(input.bins);
    });
    for (std::size_t i = 0; i < inputs.size(); ++i) seconds[i] = total * static_cast<double>(inputs[i].bins) / bins;
  }
  const double share = core_share.value();
  std::vector<DecodedTrial> decoded(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    decoded[i].trial = std::move(batch[i].trial);
    decoded[i].logits.classes = config.n_classes;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    decoded[long_enough[i]].logits = std::move(logits[i]);
    decoded[long_enough[i]].model_seconds = seconds[i];
    decoded[long_enough[i]].cpu_seconds = share * seconds[i];
    require_finite_logits(decoded[long_enough[i]].trial.label(), decoded[long_enough[i]].logits.values);
  }
  return decoded;
}

// A stage on a thread of its own. Whatever it throws is kept for join(); the queue on its way is released by `release`.
class Stage {
 public:
  template <typename Work, typename Release>
  Stage(const char* purpose, Work work, Release release)
      : thread_(start_thread(purpose, [this, work, release] {
          try {
            work();
            release(std::exception_ptr());
          } catch (...) {
            failure_ = std::current_exception();
            release(failure_);
          }
        })) {}
  void join() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::exception_ptr failure_;
  std::jthread thread_;  // last: it uses the other
};

// Lets the stage before go when the next one cannot be started.
struct StopAtEnd {
  BoundedQueue<PreparedBatch>& batches;
  ~StopAtEnd() { batches.stop(); }
};

}  // namespace

void require_finite_logits(const std::string& label, std::span<const float> logits) {
  if (std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); })) return;
  throw WorkError(fmt::format("{}: the decoder's logits are not finite", label));
}

void run_pipeline(Dataset& dataset, const std::vector<std::size_t>& order, Engine& engine,
                  const PipelineOptions& options, const DecodedBatch& consume, StepTimes& times,
                  const RunContext& context) {
  if (options.batch_size < 1) throw UsageError("the batch size must be at least 1");
  TrialReader reader(dataset, order);
  BoundedQueue<PreparedBatch> batches(1);
  BoundedQueue<std::vector<DecodedTrial>> results(1);
  Stage prepare_stage(
      "preparing trials", [&] { prepare_all(reader, engine.config(), options, batches); },
      [&](std::exception_ptr failure) { batches.finish(failure); });
  const StopAtEnd stop{batches};
  Stage consume_stage(
      "storing results",
      [&] {
        while (auto batch = results.pop()) consume(std::move(*batch));
      },
      [&](std::exception_ptr) { results.stop(); });
  try {
    for (;;) {
      context.cancel.check();
      std::optional<PreparedBatch> batch = batches.pop();
      if (!batch) break;
      if (!results.push(decode(std::move(*batch), engine, options, times))) break;
    }
  } catch (...) {
    batches.stop();
    results.finish();
    throw;  // the stages' destructors wait for what was decoded to be consumed
  }
  batches.stop();
  results.finish();
  consume_stage.join();
  prepare_stage.join();
}

StepTimes measure_steps(Dataset& dataset, Engine& engine, std::int64_t steps, const RunContext& context) {
  const DecoderConfig& config = engine.config();
  const std::vector<float> taps = smoothing_taps(config.smoothing);
  StepTimes times;
  for (std::size_t index = 0; index < dataset.size(); ++index) {
    if (static_cast<std::int64_t>(times.work.size()) >= steps) break;
    context.cancel.check();
    const PreparedTrial trial = prepare(dataset.read(index), config, taps);
    double seconds = 0;
    decode_bin_by_bin(engine, trial.input(), times, seconds);
  }
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(steps, 0));
  if (times.work.size() > most) {
    times.work.resize(most);
    times.last_bin.resize(most);
  }
  return times;
}

}  // namespace brainquant
