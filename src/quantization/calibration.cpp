#include "quantization/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "brainquant/support/error.h"
#include "model/smoothing.h"
#include "model/trial_choice.h"
#include "model/trial_reader.h"
#include "quantization/observer.h"
#include "support/cores.h"
#include "support/start_thread.h"

namespace brainquant {

namespace {

/// The observers of one thread, later merged: what they hold does not depend on which thread saw which trial.
class Observers : public ActivationViewer {
 public:
  Observers(ObserverKind kind, std::int64_t layers)
      : day_input(kind), step_input(kind), hidden(static_cast<std::size_t>(layers), Observer(kind)) {}

  void see_step_input(std::span<const float> values) override { step_input.observe(values); }
  void see_hidden(std::int64_t layer, std::span<const float> values) override {
    hidden[static_cast<std::size_t>(layer)].observe(values);
  }
  void merge(const Observers& other) {
    day_input.merge(other.day_input);
    step_input.merge(other.step_input);
    for (std::size_t k = 0; k < hidden.size(); ++k) hidden[k].merge(other.hidden[k]);
  }

  Observer day_input;
  Observer step_input;
  std::vector<Observer> hidden;
};

/// What enters the weight matrices in one trial.
struct TrialInputs {
  std::int64_t bins = 0;
  std::int64_t steps = 0;
  std::vector<float> smoothed;             // [bins, n_input_features]
  std::vector<float> day_output;           // the same
  std::vector<std::vector<float>> hidden;  // per layer [steps + 1, n_units], h0 first
};

/// Shows a trial to the observers, and keeps what it shows where there is something to keep it in.
class TrialViewer : public ActivationViewer {
 public:
  TrialViewer(Observers& observers, TrialInputs* kept) : observers_(observers), kept_(kept) {}

  void see_step_input(std::span<const float> values) override {
    observers_.see_step_input(values);
    if (kept_ != nullptr) kept_->day_output.assign(values.begin(), values.end());
  }
  void see_hidden(std::int64_t layer, std::span<const float> values) override {
    observers_.see_hidden(layer, values);
    if (kept_ == nullptr) return;
    std::vector<float>& own = kept_->hidden[static_cast<std::size_t>(layer)];
    own.insert(own.end(), values.begin(), values.end());
  }

 private:
  Observers& observers_;
  TrialInputs* kept_;
};

/// Sums up what GPTQ needs, trial by trial in their order.
class HessianSums {
 public:
  HessianSums(const DecoderConfig& config, const CalibrationOptions& options, const CalibrationBackend& backend)
      : config_(config) {
    const int threads = effective_threads(options.threads);
    const auto of = [&](const std::string& name, std::int64_t inputs) {
      return options.for_gptq(name) ? backend.make_hessian(inputs, threads) : nullptr;
    };
    for (std::size_t d = 0; d < config.sessions.size() && !sums_.day; ++d) {
      sums_.day = of(fmt::format("day_residuals.{}", d), config.n_input_features);
    }
    for (std::int64_t k = 0; k < config.n_layers; ++k) {
      const std::int64_t inputs = k == 0 ? config.step_input_size() : config.n_units;
      sums_.layer_input.push_back(of(fmt::format("gru.weight_ih_l{}", k), inputs));
      sums_.layer_hidden.push_back(of(fmt::format("gru.weight_hh_l{}", k), config.n_units));
    }
    // out.weight, if it has 4 bits, meets the last layer's states.
    sums_.out = of("out.weight", config.n_units);
  }

  void add(const TrialInputs& trial) {
    if (trial.steps == 0) return;
    const std::int64_t features = config_.n_input_features;
    const std::int64_t units = config_.n_units;
    if (sums_.day) sums_.day->add(trial.smoothed.data(), trial.bins, features);
    if (sums_.layer_input[0]) {
      sums_.layer_input[0]->add(trial.day_output.data(), trial.steps, config_.bins_between_steps() * features);
    }
    for (std::size_t k = 0; k < trial.hidden.size(); ++k) {
      const float* states = trial.hidden[k].data();
      if (sums_.layer_hidden[k]) sums_.layer_hidden[k]->add(states, trial.steps, units);
      InputHessian* next = k + 1 < trial.hidden.size() ? sums_.layer_input[k + 1].get() : sums_.out.get();
      if (next != nullptr) next->add(states + units, trial.steps, units);
    }
  }

  InputHessians taken() { return std::move(sums_); }

 private:
  const DecoderConfig& config_;
  InputHessians sums_;
};

/// A trial to calibrate with; GPTQ needs what enters the matrices of some.
struct CalibrationTrial {
  Trial trial;
  std::optional<TrialInputs> inputs;
};

/// Shows one batch of trials to the threads' observers. Each trial runs alone, on one thread, so that
/// neither the batch nor the number of threads can change a bit.
class BatchRunner {
 public:
  BatchRunner(const Checkpoint& checkpoint, const CalibrationOptions& options, const CalibrationBackend& backend)
      : config_(checkpoint.config),
        h0_(checkpoint.weights.h0),
        decoder_(backend.open(checkpoint.config, checkpoint.weights)),
        taps_(smoothing_taps(checkpoint.config.smoothing)),
        observers_(static_cast<std::size_t>(effective_threads(options.threads)),
                   Observers(options.observer, checkpoint.config.n_layers)) {
    for (Observer& hidden : observers_[0].hidden) hidden.observe(checkpoint.weights.h0);  // once, however many threads
  }

  void run(std::vector<CalibrationTrial>& batch, const RunContext& context) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&](Observers& own) {
      try {
        decoder_->prepare_thread();
        for (std::size_t i = next++; i < batch.size(); i = next++) {
          context.cancel.check();
          try {
            see(batch[i], own);
          } catch (const WorkError& error) {
            throw WorkError(fmt::format("{}: {}", batch[i].trial.label(), error.what()));
          }
        }
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    };
    std::vector<std::jthread> threads;
    threads.reserve(observers_.size());
    try {
      for (Observers& own : observers_) threads.push_back(start_thread("calibration", [&] { work(own); }));
    } catch (...) {
      next = batch.size();  // those that were started need not go on
      throw;
    }
    for (std::jthread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
  }

  std::int64_t steps_seen() const { return steps_seen_; }

  Observers merged() const {
    Observers all = observers_[0];
    for (std::size_t i = 1; i < observers_.size(); ++i) all.merge(observers_[i]);
    return all;
  }

 private:
  void see(CalibrationTrial& seen, Observers& own) {
    const Trial& trial = seen.trial;
    std::vector<float> smoothed;
    const std::int64_t bins = smooth(trial.features.data(), trial.bins, config_.n_input_features, taps_, smoothed);
    const std::int64_t steps = config_.steps_of(bins);
    if (steps == 0) return;
    steps_seen_ += steps;
    own.day_input.observe({smoothed.data(), static_cast<std::size_t>(bins * config_.n_input_features)});
    if (seen.inputs) {
      seen.inputs->bins = bins;
      seen.inputs->steps = steps;
      seen.inputs->hidden.assign(static_cast<std::size_t>(config_.n_layers), h0_);
    }
    TrialViewer viewer(own, seen.inputs ? &*seen.inputs : nullptr);
    decoder_->observe(smoothed.data(), bins, trial.session_index, viewer);
    if (seen.inputs) seen.inputs->smoothed = std::move(smoothed);
  }

  const DecoderConfig& config_;
  const std::vector<float>& h0_;
  std::unique_ptr<CalibrationDecoder> decoder_;
  std::vector<float> taps_;
  std::vector<Observers> observers_;
  std::atomic<std::int64_t> steps_seen_{0};
};

/// Which of `count` trials are among `samples` evenly spaced ones; all if there are no more.
std::vector<bool> evenly_spaced(std::size_t count, std::int64_t samples) {
  std::vector<bool> chosen(count);
  const auto wanted = std::min(count, static_cast<std::size_t>(samples));
  for (std::size_t i = 0; i < wanted; ++i) chosen[i * count / wanted] = true;
  return chosen;
}

}  // namespace

std::vector<std::size_t> choose_calibration_trials(const Dataset& train, std::int64_t samples) {
  return spread_over_sessions(train, all_trials(train), samples);
}

void CalibrationHash::add(const Trial& trial) {
  static_assert(std::endian::native == std::endian::little, "numbers are hashed as they lie in memory");
  const std::int64_t shape[] = {trial.bins, n_input_features_};
  hash_.update(trial.label());
  hash_.update("\0", 1);
  hash_.update(shape, sizeof shape);
  hash_.update(trial.features.data(), trial.features.size() * sizeof(float));
}

std::string calibration_sha256(Dataset& train, std::int64_t samples, const RunContext& context) {
  const std::vector<std::size_t> chosen = choose_calibration_trials(train, samples);
  const auto total = static_cast<std::int64_t>(chosen.size());
  TrialReader reader(train, chosen);
  CalibrationHash hash(train.features_per_bin());
  std::int64_t done = 0;
  while (const std::optional<Trial> trial = reader.next()) {
    context.cancel.check();
    hash.add(*trial);
    context.progress.update("calibration data", ++done, total);
  }
  return hash.hex();
}

CalibrationResult calibrate(const Checkpoint& checkpoint, Dataset& train, const CalibrationOptions& options,
                            const CalibrationBackend& backend, const RunContext& context) {
  if (options.samples < 1)
    throw UsageError(fmt::format("--calibration_samples: found {}, expected at least 1", options.samples));
  if (options.batch_size < 1) {
    throw UsageError(fmt::format("--calibration_batch_size: found {}, expected at least 1", options.batch_size));
  }
  const std::vector<std::size_t> chosen = choose_calibration_trials(train, options.samples);
  const auto total = static_cast<std::int64_t>(chosen.size());
  if (total < options.samples) {
    context.log.info(fmt::format("calibration: {} trials were asked for, the train files have {}: all are used",
                                 options.samples, total));
  }
  CalibrationResult result;
  for (const std::size_t index : chosen) result.trials.push_back(train.label(index));
  const std::vector<bool> for_gptq = evenly_spaced(chosen.size(), options.gptq_samples);
  std::optional<HessianSums> sums;
  if (options.gptq_samples > 0) sums.emplace(checkpoint.config, options, backend);
  BatchRunner runner(checkpoint, options, backend);
  TrialReader reader(train, chosen);
  CalibrationHash hash(train.features_per_bin());  // filled in the order of reading: threads do not matter
  std::vector<CalibrationTrial> batch;
  std::int64_t done = 0;
  while (done < total) {
    batch.clear();
    while (static_cast<std::int64_t>(batch.size()) < options.batch_size) {
      std::optional<Trial> trial = reader.next();
      if (!trial) break;
      hash.add(*trial);
      const bool kept = for_gptq[static_cast<std::size_t>(done) + batch.size()];
      batch.push_back({std::move(*trial), kept ? std::optional<TrialInputs>(std::in_place) : std::nullopt});
    }
    runner.run(batch, context);
    for (const CalibrationTrial& trial : batch) {
      context.cancel.check();
      if (trial.inputs) sums->add(*trial.inputs);
    }
    done += static_cast<std::int64_t>(batch.size());
    context.progress.update("calibration", done, total);
  }
  if (sums) result.hessians = sums->taken();
  if (runner.steps_seen() == 0) throw WorkError("calibration: no trial of the train files is long enough for one step");
  const Observers all = runner.merged();
  result.scales.day_input = all.day_input.scale();
  result.scales.step_input = all.step_input.scale();
  for (const Observer& hidden : all.hidden) result.scales.hidden.push_back(hidden.scale());
  result.sha256 = hash.hex();
  result.libtorch_version = backend.libtorch_version();
  return result;
}

}  // namespace brainquant
