#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "brainquant/reporting/comparison_report.h"
#include "brainquant/support/error.h"
#include "brainquant/version.h"
#include "experiment/rate_difference_json.h"
#include "io/csv.h"
#include "reporting/changes_report.h"
#include "reporting/metrics.h"
#include "support/atomic_file.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

ordered_json json_of(const std::optional<RateDifference>& difference, const MethodOutcome& outcome) {
  if (!difference) return nullptr;
  ordered_json json = json_of_fields(*difference);
  json["verdict"] = verdict_text(verdict_of(*difference), outcome.evaluation.trials.size());
  return json;
}

// JSON has no infinity: equal logits have a null signal-to-noise ratio and "equal": true.
ordered_json json_of(const std::optional<LogitsDifference>& logits) {
  if (!logits) return nullptr;
  const bool equal = std::isinf(logits->sqnr_db);
  return {{"steps", logits->steps},
          {"equal", equal},
          {"sqnr_db", equal ? ordered_json(nullptr) : ordered_json(logits->sqnr_db)},
          {"argmax_agreement_percent", logits->agreement_percent}};
}

// The evaluation's own JSON without its trials, which stay in that file.
ordered_json evaluation_of(const EvaluationSummary& evaluation) {
  ordered_json json = ordered_json::parse(evaluation_json(evaluation));
  json.erase("trials");
  return json;
}

// JSON has no infinity: a tensor that lost nothing has a null signal-to-noise ratio.
ordered_json json_of(const std::vector<TensorReport>& tensors) {
  ordered_json json = ordered_json::array();
  for (const TensorReport& tensor : tensors) {
    json.push_back({{"name", tensor.name},
                    {"parameters", tensor.parameters},
                    {"bits", tensor.bits},
                    {"granularity", tensor.granularity},
                    {"bytes", tensor.bytes},
                    {"sqnr_db", std::isinf(tensor.sqnr_db) ? ordered_json(nullptr) : ordered_json(tensor.sqnr_db)}});
  }
  return json;
}

ordered_json json_of(const MethodOutcome& outcome) {
  ordered_json json = {
      {"method", outcome.name}, {"succeeded", outcome.succeeded}, {"options", brainquant::json_of(outcome.options)}};
  if (!outcome.succeeded) {
    json["problem"] = outcome.problem;
    json["log"] = outcome.log.string();
    return json;
  }
  json["reused"] = outcome.reused;
  json["compression_ratio"] = outcome.evaluation.model.compression();
  json["quantize_seconds"] = outcome.quantize_seconds;
  json["quantize_peak_memory_bytes"] = outcome.quantize_peak_memory_bytes;
  json["files"] = {{"model", outcome.model_file.string()},
                   {"evaluation_json", outcome.json.string()},
                   {"csv", outcome.csv.string()},
                   {"logits", outcome.logits.string()},
                   {"log", outcome.log.string()}};
  json["tensors"] = json_of(outcome.tensors);
  json["evaluation"] = evaluation_of(outcome.evaluation);
  if (outcome.own_scales) json["own_scales"] = evaluation_of(*outcome.own_scales);
  return json;
}

// JSON has no infinity: null, as for what was not measured.
ordered_json json_of(const MetricValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return nullptr;
  if (const auto* number = std::get_if<double>(&value)) return std::isfinite(*number) ? ordered_json(*number) : nullptr;
  if (const auto* count = std::get_if<std::int64_t>(&value)) return *count;
  return std::get<std::string>(value);
}

ordered_json values_of(const ComparedMethod& method, const std::vector<Metric>& metrics) {
  ordered_json json = ordered_json::object();
  for (const Metric& metric : metrics) json[metric.key] = json_of(metric.value(method));
  return json;
}

ordered_json meanings_of(const std::vector<Metric>& metrics) {
  ordered_json json = ordered_json::object();
  for (const Metric& metric : metrics) {
    json[metric.key] = {{"unit", metric.unit.empty() ? ordered_json(nullptr) : ordered_json(metric.unit)},
                        {"better", name_of(metric.better)}};
  }
  return json;
}

std::string csv_field(const MetricValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return "";
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* count = std::get_if<std::int64_t>(&value)) return std::to_string(*count);
  return fmt::format("{}", std::get<double>(value));
}

}  // namespace

std::string comparison_csv(const Comparison& comparison, const std::vector<Metric>& metrics) {
  std::vector<std::string> header = {"method", "succeeded"};
  for (const Metric& metric : metrics) header.push_back(metric.key);
  header.push_back("problem");
  std::string text = csv_row(header);
  for (const ComparedMethod& method : comparison.methods) {
    const MethodOutcome& outcome = method.outcome;
    std::vector<std::string> fields = {outcome.name, outcome.succeeded ? "yes" : "no"};
    for (const Metric& metric : metrics) fields.push_back(outcome.succeeded ? csv_field(metric.value(method)) : "");
    fields.push_back(outcome.succeeded ? "" : outcome.problem);
    text += csv_row(fields);
  }
  return text;
}

std::string comparison_json(const Comparison& comparison, const std::vector<Metric>& metrics) {
  ordered_json json = {{"schema", "brainquant/comparison"},
                       {"schema_version", kResultsSchemaVersion},
                       {"tool_version", comparison.tool_version},
                       {"eval_type", comparison.eval_type},
                       {"for_testing", comparison.for_testing},
                       {"bootstrap",
                        {{"resamples", kBootstrapResamples},
                         {"seed", kBootstrapSeed},
                         {"interval_percent", 95},
                         {"clear_points", kClearPoints},
                         {"clear_share", kClearShare}}},
                       {"metrics", meanings_of(metrics)},
                       {"methods", ordered_json::array()}};
  for (const ComparedMethod& method : comparison.methods) {
    ordered_json entry = json_of(method.outcome);
    entry["per_difference"] = json_of(method.per_difference, method.outcome);
    entry["wer_difference"] = json_of(method.wer_difference, method.outcome);
    entry["per_and_wer_disagree"] = method.per_and_wer_disagree();
    entry["logits"] = json_of(method.logits);
    entry["changes"] = json_of(method.changes);
    if (method.outcome.succeeded) entry["metrics"] = values_of(method, metrics);
    json["methods"].push_back(std::move(entry));
  }
  return json_text(json);
}

void write_comparison(const Comparison& comparison, const std::filesystem::path& folder, const PageExtras& extras) {
  write_file_atomically(folder / "comparison.md", comparison_markdown(comparison));
  write_file_atomically(folder / "comparison.tex", comparison_latex(comparison));
  write_file_atomically(folder / "comparison.csv", comparison_csv(comparison));
  write_file_atomically(folder / "comparison.json", comparison_json(comparison));
  write_file_atomically(folder / "comparison_changes.md", comparison_changes_markdown(comparison));
  write_comparison_page(comparison, folder / "comparison.html", extras);
}

bool is_published(const Comparison& comparison, const std::filesystem::path& folder) {
  const std::string text = comparison_json(comparison);
  try {
    return read_file(folder / "comparison.json", text.size() + 1) == text;
  } catch (const Error&) {
    return false;
  }
}

void write_experiment(const MethodOutcome& outcome, const std::filesystem::path& path, const PageExtras& extras) {
  write_file_atomically(path, experiment_json(outcome));
  write_experiment_page(outcome, std::filesystem::path(path).replace_extension(".html"), extras);
}

std::string experiment_json(const MethodOutcome& outcome) {
  ordered_json json = {
      {"schema", "brainquant/experiment"}, {"schema_version", kResultsSchemaVersion}, {"tool_version", kVersion}};
  json.update(json_of(outcome));
  return json_text(json);
}

}  // namespace brainquant
