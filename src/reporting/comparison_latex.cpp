#include <fmt/format.h>

#include "brainquant/reporting/comparison_report.h"
#include "reporting/latex.h"
#include "reporting/metrics.h"

namespace brainquant {

std::string comparison_latex(const Comparison& comparison, const std::vector<Metric>& metrics) {
  std::string alignment = "l";
  std::vector<std::string> titles = {"method"};
  std::vector<std::vector<std::string>> rows;
  for (const ComparedMethod& method : comparison.methods) rows.push_back({latex_text(method.outcome.name)});
  for (const MetricTable table : {MetricTable::accuracy, MetricTable::sureness, MetricTable::cost}) {
    for (const Metric& metric : columns_of(table, comparison, metrics)) {
      if (!metric.in_papers) continue;
      alignment += metric.align == TextTable::Align::left ? 'l' : 'r';
      titles.push_back(latex_numbers(metric.title));
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const ComparedMethod& method = comparison.methods[i];
        if (method.outcome.succeeded) rows[i].push_back(latex_numbers(shown(metric, method, metrics)));
        if (!method.outcome.succeeded && rows[i].size() == 1) rows[i].emplace_back("failed");
      }
    }
  }
  const EvaluationSummary* any = comparison.any_evaluation();
  return fmt::format("% \\usepackage{{booktabs}}, then \\input this file: {} trials ({}), brainquant {}{}\n",
                     any == nullptr ? 0 : any->trials.size(), comparison.eval_type, comparison.tool_version,
                     comparison.for_testing ? ", for testing" : "") +
         latex_tabular(alignment, titles, rows);
}

}  // namespace brainquant
