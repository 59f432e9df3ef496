#include "brainquant/reporting/sensitivity_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "brainquant/evaluation/evaluation_summary.h"
#include "evaluation/json_values.h"
#include "experiment/sensitivity_json.h"
#include "io/csv.h"
#include "reporting/interval_text.h"
#include "reporting/text_table.h"
#include "support/atomic_file.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr double kParametersShown = 1e6;
constexpr const char* kAllMatrices = "all of them";

std::string decibels(const std::optional<double>& value) { return value ? fmt::format("{:.1f}", *value) : "exact"; }

/// From the highest bits to the lowest.
std::set<int, std::greater<>> bits_of(const Sensitivity& sensitivity) {
  std::set<int, std::greater<>> bits;
  for (const SensitivityCase& one : sensitivity.cases) bits.insert(one.bits);
  return bits;
}

/// Matrices by themselves, the one that costs the most decibels first, and then all together.
std::vector<SensitivityCase> ranked(const Sensitivity& sensitivity, int bits) {
  std::vector<SensitivityCase> cases;
  for (const SensitivityCase& one : sensitivity.cases) {
    if (one.bits == bits && one.part != QuantizedPart::all_but) cases.push_back(one);
  }
  const auto place = [](const SensitivityCase& one) {
    constexpr double kExact = 1e9;
    return std::pair(one.part == QuantizedPart::all, one.sqnr_db.value_or(kExact));
  };
  std::stable_sort(cases.begin(), cases.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  return cases;
}

std::string matrix_of(const SensitivityCase& one) { return one.part == QuantizedPart::all ? kAllMatrices : one.matrix; }

std::string db_without(const Sensitivity& sensitivity, const SensitivityCase& one) {
  for (const SensitivityCase& other : sensitivity.cases) {
    if (other.part == QuantizedPart::all_but && other.bits == one.bits && other.matrix == one.matrix) {
      return decibels(other.sqnr_db);
    }
  }
  return "";
}

TextTable cost_table(const Sensitivity& sensitivity, int bits) {
  using Align = TextTable::Align;
  const bool with_truth = sensitivity.fp32_per.has_value();
  const bool with_words = sensitivity.fp32_wer.has_value();
  std::vector<TextTable::Column> columns = {{fmt::format("in {} bits", bits), Align::left},
                                            {"parameters (M)"},
                                            {"logits dB"},
                                            {"all others dB"},
                                            {"argmax %"}};
  if (with_truth) columns.push_back({"PER - fp32 [95 %]"});
  if (with_words) columns.push_back({"WER - fp32 [95 %]"});
  TextTable table(columns);
  for (const SensitivityCase& one : ranked(sensitivity, bits)) {
    std::vector<std::string> row = {
        matrix_of(one), fmt::format("{:.3f}", static_cast<double>(one.parameters) / kParametersShown),
        decibels(one.sqnr_db), db_without(sensitivity, one), fmt::format("{:.2f}", one.agreement_percent)};
    if (with_truth) row.push_back(interval_text(one.per_difference));
    if (with_words) row.push_back(interval_text(one.wer_difference));
    table.add_row(std::move(row));
  }
  return table;
}

std::string range_title(const Sensitivity& sensitivity, std::size_t range) {
  const std::int64_t first = sensitivity.step_ranges[range] + 1;
  if (range + 1 == sensitivity.step_ranges.size()) return fmt::format("{}-", first);
  return fmt::format("{}-{}", first, sensitivity.step_ranges[range + 1]);
}

/// The dB of each GRU layer's states, and of the logits by a trial's steps.
TextTable growth_table(const Sensitivity& sensitivity, int bits) {
  std::vector<TextTable::Column> columns = {{fmt::format("in {} bits", bits), TextTable::Align::left}};
  const std::vector<SensitivityCase> cases = ranked(sensitivity, bits);
  for (std::size_t k = 0; !cases.empty() && k < cases.front().layer_sqnr_db.size(); ++k) {
    columns.push_back({fmt::format("layer {}", k)});
  }
  for (std::size_t r = 0; r < sensitivity.step_ranges.size(); ++r) {
    columns.push_back({"steps " + range_title(sensitivity, r)});
  }
  TextTable table(columns);
  for (const SensitivityCase& one : cases) {
    std::vector<std::string> row = {matrix_of(one)};
    for (const auto& layer : one.layer_sqnr_db) row.push_back(decibels(layer));
    for (const auto& range : one.step_sqnr_db) row.push_back(decibels(range));
    table.add_row(std::move(row));
  }
  return table;
}

std::string facts(const Sensitivity& sensitivity) {
  std::string text = fmt::format(
      "One matrix at a time quantized and back, the rest and all activations fp32; {} trials ({}), {} steps",
      sensitivity.trials.size(), sensitivity.eval_type, sensitivity.steps);
  if (sensitivity.fp32_per) text += fmt::format("; fp32 PER {:.2f} %", *sensitivity.fp32_per);
  if (sensitivity.fp32_wer) text += fmt::format(", WER {:.2f} %", *sensitivity.fp32_wer);
  return text + "\n";
}

void add_difference(std::vector<std::string>& row, const std::optional<RateDifference>& difference) {
  const auto number = [&](double RateDifference::*member) {
    row.push_back(difference ? fmt::format("{}", (*difference).*member) : "");
  };
  number(&RateDifference::difference);
  number(&RateDifference::low);
  number(&RateDifference::high);
}

}  // namespace

std::string sensitivity_text(const Sensitivity& sensitivity, std::size_t width) {
  std::string text = facts(sensitivity);
  for (const int bits : bits_of(sensitivity)) text += "\n" + cost_table(sensitivity, bits).text(width);
  return text;
}

std::string sensitivity_markdown(const Sensitivity& sensitivity) {
  std::string text = "# What each weight matrix costs\n\n" + facts(sensitivity);
  for (const int bits : bits_of(sensitivity)) text += "\n" + cost_table(sensitivity, bits).markdown();
  text +=
      "\nlogits dB is 10 log10 of the signal's energy by the difference's against fp32; all others dB the same with "
      "every matrix but this one quantized. The intervals are paired bootstraps over trials (10,000 resamples).\n"
      "\n## How the error grows\n\n"
      "dB of each GRU layer's hidden states, and of the logits by a trial's steps, the first one being 1.\n";
  for (const int bits : bits_of(sensitivity)) text += "\n" + growth_table(sensitivity, bits).markdown();
  return text;
}

std::string sensitivity_csv(const Sensitivity& sensitivity) {
  std::vector<std::string> header = {
      "matrix",  "bits",           "part",    "parameters", "sqnr_db", "argmax_agreement_percent",
      "per",     "per_difference", "per_low", "per_high",   "wer",     "wer_difference",
      "wer_low", "wer_high"};
  const std::size_t layers = sensitivity.cases.empty() ? 0 : sensitivity.cases.front().layer_sqnr_db.size();
  for (std::size_t k = 0; k < layers; ++k) header.push_back(fmt::format("layer_{}_sqnr_db", k));
  for (const std::int64_t first : sensitivity.step_ranges) {
    header.push_back(fmt::format("steps_from_{}_sqnr_db", first + 1));
  }
  std::string text = csv_row(header);
  const auto number = [](const std::optional<double>& value) { return value ? fmt::format("{}", *value) : ""; };
  for (const SensitivityCase& one : sensitivity.cases) {
    std::vector<std::string> row = {one.matrix,          std::to_string(one.bits),
                                    name_of(one.part),   std::to_string(one.parameters),
                                    number(one.sqnr_db), fmt::format("{}", one.agreement_percent),
                                    number(one.per)};
    add_difference(row, one.per_difference);
    row.push_back(number(one.wer));
    add_difference(row, one.wer_difference);
    for (const auto& layer : one.layer_sqnr_db) row.push_back(number(layer));
    for (const auto& range : one.step_sqnr_db) row.push_back(number(range));
    text += csv_row(row);
  }
  return text;
}

std::string sensitivity_json(const Sensitivity& sensitivity) {
  const auto number = [](const std::optional<double>& value) {
    return value ? ordered_json(*value) : ordered_json(nullptr);
  };
  ordered_json json = {
      {"schema", "brainquant/sensitivity"},
      {"schema_version", kResultsSchemaVersion},
      {"tool_version", sensitivity.tool_version},
      {"model_path", sensitivity.model_path},
      {"checkpoint_sha256", sensitivity.checkpoint_sha256},
      {"eval_type", sensitivity.eval_type},
      {"weight_rounding", sensitivity.weight_rounding},
      {"language_model",
       sensitivity.language_model.empty() ? ordered_json(nullptr) : ordered_json(sensitivity.language_model)},
      {"trials", sensitivity.trials},
      {"steps", sensitivity.steps},
      {"fp32_per", number(sensitivity.fp32_per)},
      {"fp32_wer", number(sensitivity.fp32_wer)},
      {"bootstrap", {{"resamples", kBootstrapResamples}, {"seed", kBootstrapSeed}, {"interval_percent", 95}}},
      {"step_ranges", sensitivity.step_ranges},
      {"cases", ordered_json::array()}};
  for (const SensitivityCase& one : sensitivity.cases) json["cases"].push_back(json_of(one));
  return json_text(json);
}

void write_sensitivity(const Sensitivity& sensitivity, const std::filesystem::path& folder) {
  write_file_atomically(folder / "sensitivity.md", sensitivity_markdown(sensitivity));
  write_file_atomically(folder / "sensitivity.csv", sensitivity_csv(sensitivity));
  write_file_atomically(folder / "sensitivity.json", sensitivity_json(sensitivity));
}

}  // namespace brainquant
