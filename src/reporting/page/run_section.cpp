#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "reporting/page/html.h"
#include "reporting/page/sections.h"

namespace brainquant {

namespace {

using Align = TextTable::Align;

std::string or_unknown(const std::string& text) { return text.empty() ? "not known" : text; }

std::string machine_html(const Comparison& comparison, const EvaluationSummary& any) {
  TextTable table({{"of all methods", Align::left}, {"value", Align::left}});
  table.add_row({"brainquant", any.tool_version});
  table.add_row({"git commit", or_unknown(any.git_commit)});
  table.add_row({"LibTorch", any.machine.libtorch_version});
  table.add_row({"CPU", any.machine.cpu});
  table.add_row({"cores", std::to_string(any.machine.cores)});
  table.add_row({"split", comparison.eval_type});
  table.add_row({"trials", fmt::format("{}{}", any.trials.size(),
                                       comparison.for_testing ? " (--sessions or --max_trials left trials out)" : "")});
  table.add_row({"checkpoint, SHA-256", any.model.source_sha256});
  table.add_row({"args.yaml, SHA-256", or_unknown(any.model.args_sha256)});
  table.add_row({"data, SHA-256 of what identifies them", any.data_fingerprint});
  table.add_row({"language model", any.language_model.empty() ? "none" : any.language_model});
  return html_table(table, "Machine, versions and inputs");
}

std::string models_html(const Comparison& comparison) {
  TextTable table({{"method", Align::left},
                   {"engine", Align::left},
                   {"instructions", Align::left},
                   {"threads"},
                   {"results", Align::left},
                   {"file", Align::left},
                   {"SHA-256", Align::left}});
  for (const ComparedMethod& method : comparison.methods) {
    const MethodOutcome& outcome = method.outcome;
    if (!outcome.succeeded) {
      table.add_row({outcome.name, "failed"});
      continue;
    }
    const EvaluationSummary& evaluation = outcome.evaluation;
    table.add_row({outcome.name, evaluation.engine, evaluation.instructions, std::to_string(evaluation.threads),
                   outcome.reused ? "of an earlier run" : "of this run", outcome.model_file.string(),
                   evaluation.model.sha256});
  }
  return html_table(table, "Models");
}

using Column = std::pair<std::string, std::vector<std::pair<std::string, std::string>>>;

// A table of what all methods say alike, and one with a column for each method of what they don't.
std::string by_method_html(const std::string& caption, const std::vector<Column>& methods) {
  std::vector<std::string> names;
  std::map<std::string, std::map<std::string, std::string>> values;
  for (const auto& [method, fields] : methods) {
    for (const auto& [name, value] : fields) {
      if (!values.contains(name)) names.push_back(name);
      values[name][method] = value;
    }
  }
  std::vector<TextTable::Column> columns = {{"name", Align::left}};
  for (const auto& [method, fields] : methods) columns.push_back({method, Align::left});
  TextTable different(columns);
  TextTable alike({{"name", Align::left}, {"of all methods", Align::left}});
  for (const std::string& name : names) {
    std::vector<std::string> row = {name};
    for (const auto& [method, fields] : methods) row.push_back(values[name][method]);
    if (std::adjacent_find(row.begin() + 1, row.end(), std::not_equal_to<>()) == row.end()) {
      alike.add_row({name, row[1]});
    } else {
      different.add_row(std::move(row));
    }
  }
  std::string tables = html_table(alike, caption);
  if (different.rows() > 0) tables += html_table(different, caption + ", by method");
  return html_details(caption, tables);
}

std::string options_html(const Comparison& comparison) {
  std::vector<Column> options;
  std::vector<Column> keys;
  for (const ComparedMethod& method : comparison.methods) {
    const MethodOutcome& outcome = method.outcome;
    if (!outcome.succeeded) continue;
    Column column{outcome.name, {}};
    for (const auto& [name, value] : outcome.options) column.second.emplace_back("--" + name, text_of(value));
    if (outcome.evaluation.model.quantization) {
      QuantizationOptions quantization = *outcome.evaluation.model.quantization;
      for (const auto& [name, value] : list_options(quantization).values()) {
        column.second.emplace_back("--" + name, text_of(value));
      }
    }
    options.push_back(std::move(column));
    keys.emplace_back(outcome.name, outcome.evaluation.run_key.fields());
  }
  return by_method_html("Every option", options) + by_method_html("Everything that decided the results", keys);
}

}  // namespace

Section run_section(const Comparison& comparison, const PageExtras& extras) {
  std::string content;
  if (!extras.command.empty()) {
    content += html_paragraph("To run it again:") + "<pre><code>" + html_escaped(extras.command) + "</code></pre>\n";
  }
  if (const EvaluationSummary* any = comparison.any_evaluation()) content += machine_html(comparison, *any);
  return {"run", "What was run", content + models_html(comparison) + options_html(comparison)};
}

}  // namespace brainquant
