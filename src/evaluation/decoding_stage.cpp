#include "evaluation/decoding_stage.h"

#include <fmt/format.h>

#include <vector>

#include "evaluation/pipeline.h"
#include "scoring/phonemes.h"
#include "scoring/quantile.h"
#include "support/seconds_since.h"

namespace brainquant {

namespace {

TrialResult result_of(DecodedTrial& decoded) {
  TrialResult result;
  Trial& trial = decoded.trial;
  static_cast<TrialId&>(result) = trial;
  result.index = trial.index;
  result.block = trial.block;
  result.trial_num = trial.trial_num;
  result.corpus = std::move(trial.corpus);
  result.bins = trial.bins;
  result.steps = decoded.logits.steps;
  const std::vector<int> classes =
      argmax_classes({decoded.logits.values.data(), decoded.logits.steps, decoded.logits.classes});
  result.phonemes = collapse_published(classes);
  result.phonemes_ctc = collapse_ctc(classes);
  result.true_phonemes = std::move(trial.phonemes);
  result.true_sentence = std::move(trial.sentence);
  result.model_seconds = decoded.model_seconds;
  return result;
}

/// Sums up the times of the trials that this run decodes.
class TrialTimes {
 public:
  explicit TrialTimes(TimingReport& timing) : timing_(timing) {}

  void add(const TrialResult& result, double cpu_seconds) {
    timing_.trials += 1;
    timing_.signal_seconds += kSecondsPerBin * static_cast<double>(result.bins);
    timing_.model_seconds += result.model_seconds;
    cpu_seconds_ += cpu_seconds;
    if (result.steps > 0) trial_seconds_.push_back(result.model_seconds);
  }

  void finish(bool on_gpu, const RunContext& context) {
    timing_.model_ms_p10 = 1e3 * quantile(trial_seconds_, 0.1);
    timing_.model_ms_p50 = 1e3 * quantile(trial_seconds_, 0.5);
    timing_.model_ms_p90 = 1e3 * quantile(trial_seconds_, 0.9);
    if (timing_.model_seconds <= 0 || on_gpu) return;
    timing_.core_share = cpu_seconds_ / timing_.model_seconds;
    if (timing_.core_share < kLeastCoreShare) {
      context.log.warning(fmt::format(
          "the decoder had a core for only {:.0f} % of its time: other work on the same cores, reading and smoothing "
          "among it, makes its times too long",
          100 * timing_.core_share));
    }
  }

 private:
  TimingReport& timing_;
  std::vector<double> trial_seconds_;  // in the engine
  double cpu_seconds_ = 0;
};

std::vector<std::size_t> trials_to_decode(const Dataset& dataset, const Journal& journal) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    if (!journal.trials().contains(i)) order.push_back(i);
  }
  return order;
}

}  // namespace

void decode_trials(const EvaluationOptions& options, EvaluatedModel& model, Dataset& dataset, Journal& journal,
                   LiveWords* words, EvaluationSummary& summary, const RunContext& context) {
  const std::vector<std::size_t> order = trials_to_decode(dataset, journal);
  summary.resumed = static_cast<std::int64_t>(journal.trials().size());
  const auto total = static_cast<std::int64_t>(dataset.size());
  context.progress.update("trials", summary.resumed, total);
  StepTimes step_times;
  TrialTimes trial_times(summary.timing);
  PipelineOptions pipeline;
  pipeline.batch_size = options.batch_size;
  pipeline.streaming = options.streaming;
  pipeline.watcher = words;
  const SteadyClock::time_point start = SteadyClock::now();
  run_pipeline(
      dataset, order, *model.engine, pipeline,
      [&](std::vector<DecodedTrial> batch) {
        std::vector<TrialResult> results;
        std::vector<Logits> logits;
        for (DecodedTrial& decoded : batch) {
          results.push_back(result_of(decoded));
          logits.push_back(std::move(decoded.logits));
          trial_times.add(results.back(), decoded.cpu_seconds);
        }
        journal.add(results, logits);
        context.progress.update("trials", static_cast<std::int64_t>(journal.trials().size()), total);
      },
      step_times, context);
  summary.timing.wall_seconds = seconds_since(start);
  trial_times.finish(model.engine_options.gpu_number >= 0, context);
  if (words != nullptr) {  // the sentence stage has only to make the others, of an earlier run's trials
    for (const auto& [index, sentence] : words->sentences()) {
      journal.add_sentence(index, options.language_model.fingerprint(), sentence);
    }
  }
  if (options.streaming && !step_times.work.empty())
    summary.step = report_steps(step_times, step_budget_ms(model.config));
}

void measure_single_steps(const EvaluationOptions& options, EvaluatedModel& model, Dataset& dataset,
                          EvaluationSummary& summary, const RunContext& context) {
  if (options.step_latency == 0 || options.streaming) return;
  const StepTimes times = measure_steps(dataset, *model.engine, options.step_latency, context);
  if (times.work.empty()) {
    context.log.warning("no trial has two steps: the time of a step was not measured");
    return;
  }
  summary.step = report_steps(times, step_budget_ms(model.config));
}

}  // namespace brainquant
