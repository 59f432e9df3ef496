#include <fmt/format.h>

#include <cmath>

#include "brainquant/reporting/comparison_report.h"
#include "brainquant/reporting/evaluation_text.h"
#include "reporting/changes_report.h"
#include "reporting/metrics.h"
#include "reporting/text_table.h"

namespace brainquant {

namespace {

TextTable table_of(MetricTable which, const Comparison& comparison, const std::vector<Metric>& metrics) {
  const std::vector<Metric> columns = columns_of(which, comparison, metrics);
  std::vector<TextTable::Column> titles = {{"method", TextTable::Align::left}};
  for (const Metric& metric : columns) titles.push_back({metric.title, metric.align, metric.least});
  TextTable table(titles);
  for (const ComparedMethod& method : comparison.methods) {
    std::vector<std::string> cells = {method.outcome.name};
    if (method.outcome.succeeded) {
      for (const Metric& metric : columns) cells.push_back(shown(metric, method, metrics));
    } else {
      cells.push_back("failed");
    }
    table.add_row(std::move(cells));
  }
  return table;
}

// The table with what its columns mean.
std::string table_markdown(MetricTable which, const Comparison& comparison, const std::vector<Metric>& metrics) {
  std::string notes;
  for (const Metric& metric : columns_of(which, comparison, metrics)) {
    if (!metric.note.empty()) notes += (notes.empty() ? "" : " ") + metric.note;
  }
  return table_of(which, comparison, metrics).markdown() + "\n" + notes + "\n";
}

bool has_columns(MetricTable which, const Comparison& comparison, const std::vector<Metric>& metrics) {
  return !columns_of(which, comparison, metrics).empty();
}

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

std::vector<std::string> facts(const Comparison& comparison) {
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

std::string examples_markdown(const Comparison& comparison) {
  std::string text;
  for (const ComparedMethod& method : comparison.methods) {
    if (method.outcome.evaluation.worst_sentences.empty()) continue;
    text += "\n" + method.outcome.name + ":\n\n```\n";
    for (const SentenceExample& example : method.outcome.evaluation.worst_sentences) text += example_text(example);
    text += "```\n";
  }
  return text.empty() ? "" : "\n## Sentences with the most wrong words\n" + text;
}

}  // namespace

std::string comparison_text(const Comparison& comparison, const std::vector<Metric>& metrics, std::size_t width) {
  std::string text;
  for (const MetricTable table : {MetricTable::accuracy, MetricTable::sureness, MetricTable::cost}) {
    if (has_columns(table, comparison, metrics)) text += table_of(table, comparison, metrics).text(width) + "\n";
  }
  for (const std::string& line : facts(comparison)) text += line + "\n";
  return text;
}

std::string comparison_markdown(const Comparison& comparison, const std::vector<Metric>& metrics) {
  std::string text = "# Quantization methods compared\n\n";
  for (const std::string& line : facts(comparison)) text += "- " + line + "\n";
  text += "\n## Size and accuracy\n\n" + table_markdown(MetricTable::accuracy, comparison, metrics);
  if (has_columns(MetricTable::sureness, comparison, metrics)) {
    text += "\n## Better or worse than fp32\n\n" + table_markdown(MetricTable::sureness, comparison, metrics);
  }
  text += "\n## Cost\n\n" + table_markdown(MetricTable::cost, comparison, metrics);
  text += examples_markdown(comparison);
  text += "\nWhich words and phonemes changed: [comparison_changes.md](comparison_changes.md).\n";
  return text;
}

std::string experiment_line(const MethodOutcome& outcome) {
  if (!outcome.succeeded) return fmt::format("{}: failed: {}", outcome.name, outcome.problem);
  Comparison alone;
  alone.eval_type = outcome.evaluation.eval_type;
  alone.methods = {{outcome, {}, {}, {}}};
  const auto part = [&](MetricTable table) {
    std::string text;
    for (const Metric& metric : columns_of(table, alone, comparison_metrics())) {
      const ComparedMethod& method = alone.methods.front();
      if (metric.in_line.empty() || !was_measured(metric, method)) continue;
      text += fmt::format(fmt::runtime(metric.in_line), shown(metric, method, comparison_metrics()));
    }
    return text;
  };
  return fmt::format("{}: {}, {} trials{}", outcome.name, part(MetricTable::accuracy), outcome.evaluation.trials.size(),
                     part(MetricTable::cost));
}

}  // namespace brainquant
