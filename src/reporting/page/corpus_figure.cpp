#include <fmt/format.h>

#include "reporting/interval_text.h"
#include "reporting/page/figures.h"
#include "reporting/page/plots.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr int kRowOfMethod = 14;  // pixels

}  // namespace

std::optional<Figure> corpus_figure(const Comparison& comparison, const std::vector<MethodRates>& rates) {
  if (rates.empty() || rates.front().corpora.empty()) return {};
  const char* const kind = title_of(rates.front().kind);
  const std::string rate_title = fmt::format("{} %", kind);
  const std::string title = fmt::format("{} by corpus", kind);
  std::vector<TextTable::Column> columns = {
      {"corpus", TextTable::Align::left}, {"method", TextTable::Align::left}, {"trials"}, {rate_title}};
  if (rates.size() > 1) columns.push_back({"less fp32's"});
  TextTable numbers(columns);
  ordered_json rows = ordered_json::array();
  for (std::size_t c = 0; c < rates.front().corpora.size(); ++c) {
    for (const MethodRates& method : rates) {
      const GroupRate& corpus = method.corpora[c];
      rows.push_back({{"corpus", corpus.group},
                      {"method", method.method},
                      {"rate", corpus.rate},
                      {"low", corpus.interval.low},
                      {"high", corpus.interval.high},
                      {"trials", corpus.trials}});
      std::vector<std::string> cells = {corpus.group, method.method, std::to_string(corpus.trials),
                                        rate_text(corpus.rate, corpus.interval)};
      if (rates.size() > 1) cells.push_back(interval_text(corpus.difference));
      numbers.add_row(std::move(cells));
    }
  }
  const MethodMarks marks(comparison);
  // A row for each method, and one between the corpora.
  const std::size_t lines = rates.front().corpora.size() * (rates.size() + 1);
  ordered_json spec = plot_of(title, rows, kRowOfMethod * static_cast<int>(lines));
  ordered_json offset = in_order({{"field", "method"}});
  spec["encoding"] = {{"y", in_order(category("corpus"))}, {"yOffset", offset}, {"color", marks.color()}};
  spec["layer"] = {
      interval_layer("x", quantity("rate", rate_title)),
      {{"mark", {{"type", "point"}, {"filled", true}, {"size", 70}, {"opacity", 1}}},
       {"encoding",
        {{"x", quantity("rate", rate_title)},
         {"shape", marks.shape()},
         {"tooltip",
          tooltips({{"corpus", "corpus"}, {"method", "method"}, {"rate", rate_title}, {"trials", "trials"}})}}}}};
  return Figure{fmt::format("{}-corpora", id_of(rates.front().kind)), title,
                "Bars: each rate's own 95 % interval, over the corpus's trials.", spec, numbers};
}

}  // namespace brainquant
