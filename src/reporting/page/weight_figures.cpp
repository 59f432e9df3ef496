#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "reporting/interval_text.h"
#include "reporting/page/figures.h"
#include "reporting/page/plots.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

using Align = TextTable::Align;

}  // namespace

std::optional<Figure> weights_figure(const Comparison& comparison) {
  std::vector<std::string> tensors;
  std::map<std::string, std::map<std::string, std::string>> cells;
  std::vector<TextTable::Column> columns = {{"tensor", Align::left}};
  ordered_json rows = ordered_json::array();
  for (const ComparedMethod& method : comparison.methods) {
    if (method.outcome.tensors.empty()) continue;
    columns.push_back({method.outcome.name});
    for (const TensorReport& tensor : method.outcome.tensors) {
      if (std::find(tensors.begin(), tensors.end(), tensor.name) == tensors.end()) tensors.push_back(tensor.name);
      const bool exact = std::isinf(tensor.sqnr_db);
      cells[tensor.name][method.outcome.name] = exact ? "exact" : fmt::format("{:.1f}", tensor.sqnr_db);
      if (exact) continue;
      rows.push_back({{"tensor", tensor.name},
                      {"method", method.outcome.name},
                      {"sqnr_db", tensor.sqnr_db},
                      {"bits", tensor.bits},
                      {"granularity", tensor.granularity}});
    }
  }
  if (rows.empty()) return {};
  TextTable numbers(columns);
  for (const std::string& tensor : tensors) {
    std::vector<std::string> row = {tensor};
    for (std::size_t c = 1; c < columns.size(); ++c) row.push_back(cells[tensor][columns[c].title]);
    numbers.add_row(std::move(row));
  }
  const std::string title = "How well each tensor is kept";
  const MethodMarks marks(comparison);
  ordered_json spec = plot_of(title, rows, kRowHeight * static_cast<int>(tensors.size()));
  spec["mark"] = {{"type", "point"}, {"filled", true}, {"size", 90}, {"opacity", 0.9}};
  spec["encoding"] = {{"y", in_order(category("tensor"))},
                      {"x", quantity("sqnr_db", "weights' signal-to-noise ratio, dB")},
                      {"color", marks.color()},
                      {"shape", marks.shape()},
                      {"tooltip", tooltips({{"tensor", "tensor"},
                                            {"method", "method"},
                                            {"sqnr_db", "dB"},
                                            {"bits", "bits"},
                                            {"granularity", "scales"}})}};
  return Figure{
      "weights",
      title,
      "The stored weights' signal-to-noise ratio: further right is better, 6 dB are one bit. Day layers count "
      "with their identity. Tensors stored exactly are not drawn.",
      spec,
      numbers,
      true};
}

std::vector<Figure> sensitivity_figures(const Sensitivity& sensitivity) {
  std::vector<SensitivityCase> alone;
  std::set<std::string> matrices;
  for (const SensitivityCase& one : sensitivity.cases) {
    if (one.part != QuantizedPart::alone || !one.sqnr_db) continue;
    alone.push_back(one);
    matrices.insert(one.matrix);
  }
  if (alone.empty()) return {};
  std::stable_sort(alone.begin(), alone.end(),
                   [](const SensitivityCase& a, const SensitivityCase& b) { return *a.sqnr_db < *b.sqnr_db; });
  std::set<std::string> bits;
  for (const SensitivityCase& one : alone) bits.insert(fmt::format("{} bits", one.bits));
  const auto figure = [&](const std::string& id, const std::string& title, const std::string& axis,
                          const std::string& caption, const std::string& column, auto value) {
    TextTable numbers({{"matrix", Align::left}, {"bits"}, {column}});
    ordered_json rows = ordered_json::array();
    for (const SensitivityCase& one : alone) {
      ordered_json row = {{"matrix", one.matrix}, {"bits", fmt::format("{} bits", one.bits)}};
      numbers.add_row({one.matrix, std::to_string(one.bits), value(one, row)});
      rows.push_back(std::move(row));
    }
    ordered_json spec = plot_of(title, rows, kRowHeight * static_cast<int>(matrices.size()));
    ordered_json color = category("bits");
    ordered_json shape = category("bits");
    color["scale"] = {{"domain", bits}, {"range", {"#d55e00", "#0072b2"}}};
    shape["scale"] = {{"domain", bits}, {"range", {"circle", "square"}}};
    spec["encoding"] = {{"y", in_order(category("matrix"))}, {"color", color}};
    spec["layer"] = ordered_json::array();
    if (rows.front().contains("low")) spec["layer"].push_back(interval_layer("x", quantity("value", axis)));
    spec["layer"].push_back({{"mark", {{"type", "point"}, {"filled", true}, {"size", 90}, {"opacity", 1}}},
                             {"encoding", {{"x", quantity("value", axis)}, {"shape", shape}}}});
    return Figure{id, title, caption, spec, numbers};
  };
  std::vector<Figure> figures;
  figures.push_back(figure("sensitivity-db", "Sensitivity: the logits when one matrix alone is quantized", "logits dB",
                           "The matrix that costs most stands first.", "logits dB",
                           [](const SensitivityCase& one, ordered_json& row) {
                             row["value"] = *one.sqnr_db;
                             return fmt::format("{:.1f}", *one.sqnr_db);
                           }));
  if (sensitivity.fp32_per) {
    figures.push_back(figure("sensitivity-per", "Sensitivity: PER when one matrix alone is quantized",
                             "PER less fp32's, points", "Bars: the 95 % interval on the same trials.",
                             "PER less fp32's [95 %]", [](const SensitivityCase& one, ordered_json& row) {
                               row["value"] = one.per_difference->difference;
                               row["low"] = one.per_difference->low;
                               row["high"] = one.per_difference->high;
                               return interval_text(one.per_difference);
                             }));
  }
  return figures;
}

}  // namespace brainquant
