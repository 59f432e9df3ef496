#include <fmt/format.h>

#include "brainquant/reporting/comparison_report.h"
#include "brainquant/reporting/evaluation_text.h"
#include "reporting/comparison_facts.h"
#include "reporting/metrics.h"
#include "reporting/text_table.h"

namespace brainquant {

namespace {

std::string table_markdown(MetricTable which, const Comparison& comparison, const std::vector<Metric>& metrics) {
  return table_of(which, comparison, metrics).markdown() + "\n" + notes_of(which, comparison, metrics) + "\n";
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
  for (const std::string& line : comparison_facts(comparison)) text += line + "\n";
  return text;
}

std::string comparison_markdown(const Comparison& comparison, const std::vector<Metric>& metrics) {
  std::string text = "# Quantization methods compared\n\n";
  for (const std::string& line : comparison_facts(comparison)) text += "- " + line + "\n";
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
