#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "reporting/changes_report.h"
#include "reporting/page/figures.h"
#include "reporting/page/plots.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

using Align = TextTable::Align;

constexpr std::size_t kMostConfusions = 24;

/// One way a phoneme changed, over all methods.
struct Confusion {
  std::string text;  // "T > D", "-" for none
  std::int64_t weight = 0;
  std::map<std::string, ChangeCounts> by_method;
};

// Those first where a method added or removed the most errors; by how often they changed where no truth is known.
std::vector<Confusion> confusions_of(const Comparison& comparison) {
  std::map<std::string, Confusion> found;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.changes) continue;
    for (const auto& [phonemes, counts] : method.changes->phonemes) {
      const std::string text = change_text(phonemes.first, phonemes.second);
      Confusion& confusion = found[text];
      confusion.text = text;
      confusion.by_method[method.outcome.name] = counts;
      confusion.weight += method.changes->truth_known ? counts.added + counts.removed : counts.count;
    }
  }
  std::vector<Confusion> confusions;
  for (auto& [text, confusion] : found) confusions.push_back(std::move(confusion));
  std::stable_sort(confusions.begin(), confusions.end(),
                   [](const Confusion& a, const Confusion& b) { return a.weight > b.weight; });
  return confusions;
}

}  // namespace

std::optional<Figure> confusions_figure(const Comparison& comparison) {
  const std::vector<Confusion> confusions = confusions_of(comparison);
  if (confusions.empty()) return {};
  std::vector<std::string> methods;
  bool truth_known = false;
  for (const ComparedMethod& method : comparison.methods) {
    if (!method.changes) continue;
    methods.push_back(method.outcome.name);
    truth_known = truth_known || method.changes->truth_known;
  }
  const std::string title =
      truth_known ? "Phoneme errors that quantization added or removed" : "Phonemes that quantization changed";
  TextTable numbers(
      {{"fp32 > method", Align::left}, {"method", Align::left}, {"times"}, {"errors added"}, {"errors removed"}});
  ordered_json rows = ordered_json::array();
  double most = 0;
  const std::size_t shown = std::min(confusions.size(), kMostConfusions);
  for (std::size_t i = 0; i < shown; ++i) {
    const Confusion& confusion = confusions[i];
    for (const std::string& method : methods) {
      const auto counted = confusion.by_method.find(method);
      const ChangeCounts counts = counted == confusion.by_method.end() ? ChangeCounts{} : counted->second;
      const std::int64_t value = truth_known ? counts.added - counts.removed : counts.count;
      most = std::max(most, std::abs(static_cast<double>(value)));
      rows.push_back({{"confusion", confusion.text},
                      {"method", method},
                      {"value", value},
                      {"label", truth_known && value != 0 ? fmt::format("{:+d}", value) : std::to_string(value)},
                      {"times", counts.count},
                      {"added", counts.added},
                      {"removed", counts.removed}});
      if (counts.count == 0) continue;
      numbers.add_row({confusion.text, method, std::to_string(counts.count),
                       truth_known ? std::to_string(counts.added) : "-",
                       truth_known ? std::to_string(counts.removed) : "-"});
    }
  }
  ordered_json spec = plot_of(title, rows, kRowHeight * static_cast<int>(shown) + kRowHeight);
  ordered_json x = in_order(category("method"));
  x["axis"] = {{"orient", "top"}, {"labelAngle", -90}};
  spec["encoding"] = {{"x", x}, {"y", in_order(category("confusion"))}};
  spec["layer"] = {{{"mark", {{"type", "rect"}, {"stroke", "#88888866"}}},
                    {"encoding",
                     {{"color", truth_known ? difference_color("value", "errors added less removed", most)
                                            : amount_color("value", "times", most)},
                      {"tooltip", tooltips({{"confusion", "fp32 > method"},
                                            {"method", "method"},
                                            {"times", "times"},
                                            {"added", "errors added"},
                                            {"removed", "errors removed"}})}}}},
                   {{"transform", {{{"filter", "datum.times > 0"}}}},
                    {"mark", {{"type", "text"}, {"color", "#000000"}}},
                    {"encoding", {{"text", {{"field", "label"}}}}}}};
  const std::string more =
      confusions.size() > shown
          ? fmt::format(" These are the {} {} of {}; the others are in comparison.json.", shown,
                        truth_known ? "with the most errors added or removed" : "most frequent", confusions.size())
          : "";
  return Figure{
      "confusions",
      title,
      std::string(truth_known ? "Rows: fp32's phoneme > the method's, - for none. An error is added where fp32's was "
                                "right and removed where the method's is; a field counts those added less those "
                                "removed. 0: as many of both, or wrong before and after."
                              : "Rows: fp32's phoneme > the method's, - for none. The truth of these trials is not "
                                "known.") +
          more,
      spec,
      numbers,
      true};
}

}  // namespace brainquant
