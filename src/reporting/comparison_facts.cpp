#include "reporting/comparison_facts.h"

#include <fmt/format.h>

#include <cmath>

#include "brainquant/reporting/evaluation_text.h"
#include "reporting/changes_report.h"

namespace brainquant {

namespace {

std::string disagreement_text(const ComparedMethod& method) {
  const auto side = [](const RateDifference& difference) {
    return fmt::format("{} by {:.2f} points", clear_side_of(difference) == Verdict::better ? "better" : "worse",
                       std::abs(difference.difference));
  };
  return fmt::format(
      "{}: PER and WER disagree: PER is clearly {}, WER clearly {} (at least {:.1f} points and {:.0f} % of the "
      "resamples); judge by the sentences",
      method.outcome.name, side(*method.per_difference), side(*method.wer_difference), kClearPoints, 100 * kClearShare);
}

}  // namespace

std::vector<std::string> comparison_facts(const Comparison& comparison) {
  std::vector<std::string> lines;
  if (const EvaluationSummary* any = comparison.any_evaluation()) {
    double seconds = 0;
    for (const TrialScore& trial : any->trials) seconds += kSecondsPerBin * static_cast<double>(trial.bins);
    lines.push_back(
        fmt::format("{} trials ({}), {:.0f} s of signal{}", any->trials.size(), comparison.eval_type, seconds,
                    comparison.for_testing ? "; for testing: --sessions or --max_trials left trials out" : ""));
    lines.push_back(fmt::format("{}, {} of {} cores used; brainquant {}, LibTorch {}", any->machine.cpu, any->threads,
                                any->machine.cores, comparison.tool_version, any->machine.libtorch_version));
    lines.push_back("checkpoint " + any->model.source_sha256);
    if (any->model.val_per) lines.push_back(training_per_text(*any->model.val_per));
    if (!any->language_model.empty()) lines.push_back("sentences by " + any->language_model);
    const EvaluationSummary& baseline = comparison.methods.front().outcome.evaluation;
    if (baseline.lm_tuning && baseline.lm_scales) lines.push_back(tuned_text(baseline));
  }
  for (const ComparedMethod& method : comparison.methods) {
    if (method.per_and_wer_disagree()) lines.push_back("warning: " + disagreement_text(method));
    if (method.changes) lines.push_back(changes_line(method));
    const double core_share = method.outcome.evaluation.timing.core_share;
    if (method.outcome.succeeded && core_share < kLeastCoreShare) {
      lines.push_back(
          fmt::format("{}: the decoder had a core for only {:.0f} % of its time: other work on the same cores makes "
                      "its times too long",
                      method.outcome.name, 100 * core_share));
    }
    if (!method.outcome.succeeded)
      lines.push_back(fmt::format("{} failed: {}", method.outcome.name, method.outcome.problem));
  }
  return lines;
}

}  // namespace brainquant
