#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "brainquant/io/csv.h"
#include "brainquant/reporting/comparison_report.h"
#include "brainquant/support/atomic_file.h"
#include "brainquant/version.h"
#include "evaluation/json_values.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

ordered_json json_of(const std::optional<RateDifference>& difference) {
  if (!difference) return nullptr;
  return {{"points", difference->difference}, {"low", difference->low}, {"high", difference->high}};
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
ordered_json evaluation_of(const MethodOutcome& outcome) {
  ordered_json json = ordered_json::parse(evaluation_json(outcome.evaluation));
  json.erase("trials");
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
  const ModelFacts& model = outcome.evaluation.model;
  json["compression_ratio"] = static_cast<double>(model.fp32_bytes) / static_cast<double>(model.bytes);
  json["quantize_seconds"] = outcome.quantize_seconds;
  json["quantize_peak_memory_bytes"] = outcome.quantize_peak_memory_bytes;
  json["files"] = {{"model", outcome.model_file.string()},
                   {"evaluation_json", outcome.json.string()},
                   {"csv", outcome.csv.string()},
                   {"logits", outcome.logits.string()},
                   {"log", outcome.log.string()}};
  json["evaluation"] = evaluation_of(outcome);
  return json;
}

std::string number(double value) { return fmt::format("{}", value); }

const std::vector<std::string> kColumns = {"method",
                                           "succeeded",
                                           "bytes",
                                           "compression_ratio",
                                           "per",
                                           "per_ctc",
                                           "per_difference",
                                           "per_low",
                                           "per_high",
                                           "wer",
                                           "wer_difference",
                                           "wer_low",
                                           "wer_high",
                                           "logits_sqnr_db",
                                           "argmax_agreement_percent",
                                           "model_ms_per_trial",
                                           "wall_ms_per_trial",
                                           "real_time_factor",
                                           "step_p50_ms",
                                           "step_p99_ms",
                                           "step_max_ms",
                                           "peak_memory_bytes",
                                           "engine",
                                           "instructions",
                                           "threads",
                                           "model_ms_p10",
                                           "model_ms_p50",
                                           "model_ms_p90",
                                           "core_share",
                                           "problem"};

void append(std::vector<std::string>& fields, const std::optional<RateDifference>& difference) {
  if (difference) {
    fields.insert(fields.end(), {number(difference->difference), number(difference->low), number(difference->high)});
  } else {
    fields.insert(fields.end(), 3, "");
  }
}

std::vector<std::string> fields_of(const ComparedMethod& method) {
  const MethodOutcome& outcome = method.outcome;
  const EvaluationSummary& e = outcome.evaluation;
  std::vector<std::string> fields = {outcome.name, outcome.succeeded ? "yes" : "no"};
  if (!outcome.succeeded) {
    fields.resize(kColumns.size());
    fields.back() = outcome.problem;
    return fields;
  }
  fields.insert(fields.end(), {std::to_string(e.model.bytes), number(method.compression())});
  fields.push_back(e.per ? number(e.per->total.rate()) : "");
  fields.push_back(e.per_ctc ? number(e.per_ctc->total.rate()) : "");
  append(fields, method.per_difference);
  fields.push_back(e.wer ? number(e.wer->total.rate()) : "");
  append(fields, method.wer_difference);
  fields.push_back(method.logits ? number(method.logits->sqnr_db) : "");
  fields.push_back(method.logits ? number(method.logits->agreement_percent) : "");
  fields.insert(fields.end(), {number(e.timing.model_ms_per_trial()), number(e.timing.wall_ms_per_trial()),
                               number(e.timing.real_time_factor())});
  for (const double LatencySummary::*time :
       {&LatencySummary::p50_ms, &LatencySummary::p99_ms, &LatencySummary::max_ms}) {
    fields.push_back(e.step ? number(e.step->work.*time) : "");
  }
  fields.insert(fields.end(),
                {std::to_string(e.peak_memory_bytes), e.engine, e.instructions, std::to_string(e.threads),
                 number(e.timing.model_ms_p10), number(e.timing.model_ms_p50), number(e.timing.model_ms_p90),
                 number(e.timing.core_share), ""});
  return fields;
}

}  // namespace

std::string comparison_csv(const Comparison& comparison) {
  std::string text = csv_row(kColumns);
  for (const ComparedMethod& method : comparison.methods) text += csv_row(fields_of(method));
  return text;
}

std::string comparison_json(const Comparison& comparison) {
  ordered_json json = {
      {"schema", "brainquant/comparison"},
      {"schema_version", kResultsSchemaVersion},
      {"tool_version", comparison.tool_version},
      {"eval_type", comparison.eval_type},
      {"for_testing", comparison.for_testing},
      {"bootstrap", {{"resamples", kBootstrapResamples}, {"seed", kBootstrapSeed}, {"interval_percent", 95}}},
      {"methods", ordered_json::array()}};
  for (const ComparedMethod& method : comparison.methods) {
    ordered_json entry = json_of(method.outcome);
    entry["per_difference"] = json_of(method.per_difference);
    entry["wer_difference"] = json_of(method.wer_difference);
    entry["logits"] = json_of(method.logits);
    json["methods"].push_back(std::move(entry));
  }
  return json_text(json);
}

void write_comparison(const Comparison& comparison, const std::filesystem::path& folder) {
  write_file_atomically(folder / "comparison.md", comparison_markdown(comparison));
  write_file_atomically(folder / "comparison.csv", comparison_csv(comparison));
  write_file_atomically(folder / "comparison.json", comparison_json(comparison));
}

std::string experiment_json(const MethodOutcome& outcome) {
  ordered_json json = {
      {"schema", "brainquant/experiment"}, {"schema_version", kResultsSchemaVersion}, {"tool_version", kVersion}};
  json.update(json_of(outcome));
  return json_text(json);
}

}  // namespace brainquant
