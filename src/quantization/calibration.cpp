#include "quantization/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "brainquant/support/error.h"
#include "model/smoothing.h"
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

/// Shows one batch of trials to the threads' observers. Each trial runs alone, on one thread, so that
/// neither the batch nor the number of threads can change a bit.
class BatchRunner {
 public:
  BatchRunner(const Checkpoint& checkpoint, const CalibrationOptions& options, const CalibrationBackend& backend)
      : config_(checkpoint.config),
        decoder_(backend.open(checkpoint.config, checkpoint.weights)),
        taps_(smoothing_taps(checkpoint.config.smoothing)),
        observers_(static_cast<std::size_t>(effective_threads(options.threads)),
                   Observers(options.observer, checkpoint.config.n_layers)) {
    for (Observer& hidden : observers_[0].hidden) hidden.observe(checkpoint.weights.h0);  // once, however many threads
  }

  void run(const std::vector<Trial>& batch, const RunContext& context) {
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
            throw WorkError(fmt::format("{}/{}: {}", batch[i].session, batch[i].name, error.what()));
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
  void see(const Trial& trial, Observers& own) {
    std::vector<float> smoothed;
    const std::int64_t bins = smooth(trial.features.data(), trial.bins, config_.n_input_features, taps_, smoothed);
    const std::int64_t steps = config_.steps_of(bins);
    if (steps == 0) return;
    steps_seen_ += steps;
    own.day_input.observe({smoothed.data(), static_cast<std::size_t>(bins * config_.n_input_features)});
    decoder_->observe(smoothed.data(), bins, trial.session_index, own);
  }

  const DecoderConfig& config_;
  std::unique_ptr<CalibrationDecoder> decoder_;
  std::vector<float> taps_;
  std::vector<Observers> observers_;
  std::atomic<std::int64_t> steps_seen_{0};
};

}  // namespace

std::vector<std::size_t> choose_calibration_trials(const Dataset& train, std::int64_t samples) {
  std::map<std::int64_t, std::vector<std::size_t>> sessions;
  for (std::size_t i = 0; i < train.size(); ++i) sessions[train.session_index(i)].push_back(i);
  const auto wanted = std::min<std::size_t>(train.size(), static_cast<std::size_t>(samples));
  // As many from each session as from every other, as far as it has them; what is left over goes to the first sessions.
  std::map<std::int64_t, std::size_t> take;
  for (std::size_t given = 0; given < wanted;) {
    for (const auto& [session, trials] : sessions) {
      if (given < wanted && take[session] < trials.size()) {
        ++take[session];
        ++given;
      }
    }
  }
  std::vector<std::size_t> chosen;
  for (const auto& [session, trials] : sessions) {
    const std::size_t count = take[session];
    for (std::size_t i = 0; i < count; ++i) chosen.push_back(trials[i * trials.size() / count]);
  }
  return chosen;
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
  BatchRunner runner(checkpoint, options, backend);
  TrialReader reader(train, chosen);
  CalibrationHash hash(train.features_per_bin());  // filled in the order of reading: threads do not matter
  std::vector<Trial> batch;
  std::int64_t done = 0;
  while (done < total) {
    batch.clear();
    while (static_cast<std::int64_t>(batch.size()) < options.batch_size) {
      std::optional<Trial> trial = reader.next();
      if (!trial) break;
      hash.add(*trial);
      batch.push_back(std::move(*trial));
    }
    runner.run(batch, context);
    done += static_cast<std::int64_t>(batch.size());
    context.progress.update("calibration", done, total);
  }
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
