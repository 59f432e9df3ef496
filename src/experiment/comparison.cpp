#include "brainquant/experiment/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "experiment/find_changes.h"
#include "experiment/method_run.h"
#include "experiment/tensor_reports.h"

namespace brainquant {

namespace {

void require_same_trials(const EvaluationSummary& baseline, const EvaluationSummary& other) {
  if (baseline.trials.size() != other.trials.size()) {
    throw WorkError(
        fmt::format("{} and {} were not evaluated on the same trials", baseline.model.method, other.model.method));
  }
  for (std::size_t i = 0; i < baseline.trials.size(); ++i) {
    if (baseline.trials[i].label != other.trials[i].label) {
      throw WorkError(fmt::format("{} and {} were not evaluated on the same trials: {} and {}", baseline.model.method,
                                  other.model.method, baseline.trials[i].label, other.trials[i].label));
    }
  }
}

template <typename Counts>
RateDifference difference(const EvaluationSummary& baseline, const EvaluationSummary& other, Counts counts) {
  std::vector<PairedCounts> pairs;
  std::vector<std::string> sessions;
  for (std::size_t i = 0; i < baseline.trials.size(); ++i) {
    pairs.push_back(counts(baseline.trials[i], other.trials[i]));
    sessions.push_back(baseline.trials[i].session());
  }
  return rate_difference(pairs, sessions);
}

void set_against(const MethodOutcome& baseline, ComparedMethod& method, const RunContext& context) {
  const EvaluationSummary& a = baseline.evaluation;
  const EvaluationSummary& b = method.outcome.evaluation;
  require_same_trials(a, b);
  if (a.per && b.per) {
    method.per_difference = difference(a, b, [](const TrialScore& x, const TrialScore& y) {
      return PairedCounts{x.distance, y.distance, x.true_length};
    });
  }
  if (a.wer && b.wer) {
    method.wer_difference = difference(a, b, [](const TrialScore& x, const TrialScore& y) {
      return PairedCounts{x.word_distance, y.word_distance, x.true_words};
    });
  }
  method.logits = compare_logits(baseline.logits, method.outcome.logits, context);
  method.changes = find_changes(baseline, method.outcome, context);
}

/// Says which method a step's progress is of.
class MethodProgress final : public Progress {
 public:
  MethodProgress(std::string title, Progress& progress) : title_(std::move(title)), progress_(progress) {}
  void update(const std::string& stage, std::int64_t done, std::int64_t total) override {
    progress_.update(title_ + ": " + stage, done, total);
  }

 private:
  const std::string title_;
  Progress& progress_;
};

// A method with the scales that were tuned for the baseline, and then with its own if those are asked for.
MethodOutcome run_with_scales_of(const MethodOutcome& baseline, const ExperimentOptions& options, const Method& method,
                                 const RunLock& lock, const ProgramRunner& programs, const RunContext& context) {
  MethodOutcome outcome;
  if (!baseline.succeeded) {
    outcome.name = method.name();
    outcome.problem = fmt::format("not done: {}, whose language-model scales it is to have, failed", baseline.name);
    return outcome;
  }
  ExperimentOptions shared = options;
  shared.language_model = options.language_model.with(baseline.evaluation.lm_scales.value());
  outcome = run_method(shared, method, lock, programs, context);
  if (!outcome.succeeded || !options.tune_lm_each) return outcome;
  MethodOutcome own = run_with_own_scales(options, method, lock, programs, context);
  if (!own.succeeded) return own;
  outcome.own_scales = std::move(own.evaluation);
  return outcome;
}

}  // namespace

bool ComparedMethod::per_and_wer_disagree() const {
  if (!per_difference || !wer_difference) return false;
  const Verdict per = clear_side_of(*per_difference);
  const Verdict wer = clear_side_of(*wer_difference);
  return per != Verdict::unclear && wer != Verdict::unclear && per != wer;
}

bool Comparison::all_succeeded() const {
  return std::all_of(methods.begin(), methods.end(), [](const ComparedMethod& m) { return m.outcome.succeeded; });
}

const EvaluationSummary* Comparison::any_evaluation() const {
  for (const ComparedMethod& method : methods) {
    if (method.outcome.succeeded) return &method.outcome.evaluation;
  }
  return nullptr;
}

Comparison compare_methods(std::vector<MethodOutcome> outcomes, const ExperimentOptions& options,
                           const RunContext& context) {
  Comparison comparison;
  comparison.tool_version = kVersion;
  comparison.eval_type = name_of(options.data.split);
  comparison.for_testing = options.data.leaves_trials_out();
  for (MethodOutcome& outcome : outcomes) {
    ComparedMethod method;
    method.outcome = std::move(outcome);
    comparison.methods.push_back(std::move(method));
  }
  for (std::size_t i = 1; i < comparison.methods.size(); ++i) {
    const MethodOutcome& baseline = comparison.methods.front().outcome;
    if (baseline.succeeded && comparison.methods[i].outcome.succeeded) {
      set_against(baseline, comparison.methods[i], context);
    }
  }
  return comparison;
}

std::vector<Method> choose_methods(const std::vector<std::string>& names, const QuantizationOptions& common) {
  const std::vector<QuantizationOptions> documented = all_methods();
  std::vector<QuantizationOptions> known = documented;
  for (const QuantizationType type : {QuantizationType::dynamic_range, QuantizationType::static_per_channel}) {
    QuantizationOptions four_bits;
    four_bits.quantization_type = type;
    four_bits.dtype = Dtype::qint4;
    known.push_back(four_bits);
  }
  std::vector<QuantizationOptions> chosen;
  const auto choose = [&](const QuantizationOptions& one) {
    const auto is_it = [&](const QuantizationOptions& other) { return other.method_name() == one.method_name(); };
    if (std::none_of(chosen.begin(), chosen.end(), is_it)) chosen.push_back(one);
  };
  for (const std::string& name : names) {
    const auto named = std::find_if(known.begin(), known.end(),
                                    [&](const QuantizationOptions& one) { return one.method_name() == name; });
    if (name == "documented") {
      std::for_each(documented.begin(), documented.end(), choose);
    } else if (name == "all") {
      std::for_each(known.begin(), known.end(), choose);
    } else if (named != known.end()) {
      choose(*named);
    } else {
      std::vector<std::string> expected;
      for (const QuantizationOptions& one : known) expected.push_back(one.method_name());
      throw UsageError(fmt::format("--methods: found '{}', expected documented, all, or some of {}", name,
                                   fmt::join(expected, ", ")));
    }
  }
  std::vector<Method> methods(1);
  for (QuantizationOptions options : chosen) {
    options.day_layers = common.day_layers;
    options.calibration_samples = common.calibration_samples;
    options.gptq_samples = common.gptq_samples;
    if (options.is_static()) options.observer = common.observer;
    if (options.has_scales()) options.weight_rounding = common.weight_rounding;
    methods.push_back({options});
  }
  return methods;
}

Comparison run_comparison(const ExperimentOptions& given, const std::vector<Method>& methods,
                          const std::function<void(const Comparison&)>& publish, const RunContext& context,
                          const ProgramRunner& programs) {
  for (const Method& method : methods) {
    if (method.quantization) method.quantization->validate();
  }
  const ExperimentOptions options = resolved(given, context);
  // Nothing is done for the first method if the last one's results are another model's.
  for (const Method& method : methods) refuse_results_of_another_model(options, method, context);
  std::vector<RunLock> locks;
  std::vector<MethodOutcome> outcomes;
  const auto total = static_cast<std::int64_t>(methods.size());
  for (const Method& method : methods) {
    context.cancel.check();
    context.progress.update("methods", static_cast<std::int64_t>(outcomes.size()), total);
    MethodProgress progress(fmt::format("method {} of {}, {}", outcomes.size() + 1, total, method.name()),
                            context.progress);
    const RunContext of_method(context.log, progress, context.cancel);
    locks.push_back(lock_method(options, method, context));
    const bool shares_scales = options.language_model.tunes() && !outcomes.empty();
    outcomes.push_back(shares_scales
                           ? run_with_scales_of(outcomes.front(), options, method, locks.back(), programs, of_method)
                           : run_method(options, method, locks.back(), programs, of_method));
  }
  context.progress.update("methods", total, total);
  add_tensor_reports(outcomes, options.model_path, context);
  Comparison comparison = compare_methods(std::move(outcomes), options, context);
  const RunLock lock = lock_comparison(options, context);
  publish(comparison);
  return comparison;
}

void with_comparison_lock(const ExperimentOptions& options, const std::function<void()>& publish,
                          const RunContext& context) {
  const RunLock lock = lock_comparison(options, context);
  publish();
}

}  // namespace brainquant
