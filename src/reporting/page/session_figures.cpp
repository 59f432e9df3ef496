#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "reporting/interval_text.h"
#include "reporting/page/figures.h"
#include "reporting/page/plots.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

using Align = TextTable::Align;

// Whether each session has a date of its own.
bool all_dated(const std::vector<MethodRates>& rates) {
  std::set<std::string> dates;
  for (const GroupRate& session : rates.front().sessions) {
    const std::string date = date_of_session(session.group);
    if (date.empty() || !dates.insert(date).second) return false;
  }
  return true;
}

// The sessions along x: by date where all have one.
ordered_json session_axis(bool dated) {
  if (!dated) {
    ordered_json x = category("session");
    x["axis"] = {{"labelAngle", -90}};
    return x;
  }
  return {{"field", "date"},
          {"type", "temporal"},
          {"title", nullptr},
          {"timeUnit", "utcyearmonthdate"},
          {"scale", {{"type", "utc"}}},
          {"axis", {{"format", "%-d %b %y"}}}};
}

ordered_json session_row(const std::string& method, const GroupRate& session) {
  ordered_json row = {{"method", method},
                      {"session", session.group},
                      {"date", date_of_session(session.group)},
                      {"trials", session.trials},
                      {"rate", session.rate},
                      {"low", session.interval.low},
                      {"high", session.interval.high}};
  if (session.difference) {
    row["difference"] = session.difference->difference;
    row["difference_low"] = session.difference->low;
    row["difference_high"] = session.difference->high;
    row["differs"] = session.differs();
  }
  return row;
}

// One method's course over the sessions beside the baseline's.
Figure course_figure(const Comparison& comparison, const MethodRates& baseline, const MethodRates& method, bool dated) {
  const char* const kind = title_of(method.kind);
  const std::string rate_title = fmt::format("{} %", kind);
  const bool alone = &baseline == &method;
  const std::string title = alone ? fmt::format("{} by session: {}", kind, method.method)
                                  : fmt::format("{} by session: {} and {}", kind, baseline.method, method.method);
  ordered_json rows = ordered_json::array();
  std::vector<TextTable::Column> columns = {{"session", Align::left}, {"trials"}};
  if (!alone) columns.push_back({baseline.method + " %"});
  columns.push_back({method.method + " %"});
  if (!alone) columns.push_back({"difference"});
  TextTable numbers(columns);
  for (std::size_t s = 0; s < method.sessions.size(); ++s) {
    const GroupRate& session = method.sessions[s];
    std::vector<std::string> cells = {session.group, std::to_string(session.trials)};
    if (!alone) {
      const GroupRate& of_baseline = baseline.sessions[s];
      rows.push_back(session_row(baseline.method, of_baseline));
      cells.push_back(rate_text(of_baseline.rate, of_baseline.interval));
    }
    rows.push_back(session_row(method.method, session));
    cells.push_back(rate_text(session.rate, session.interval));
    if (!alone) cells.push_back(interval_text(session.difference));
    numbers.add_row(std::move(cells));
  }
  const MethodMarks marks(comparison);
  ordered_json color = marks.color();
  ordered_json shape = marks.shape();
  // The legend names only what is drawn.
  const ordered_json drawn = alone ? ordered_json{method.method} : ordered_json{baseline.method, method.method};
  color["legend"] = {{"values", drawn}};
  shape["legend"] = {{"values", drawn}};
  ordered_json y = quantity("rate", rate_title);
  y["scale"] = {{"zero", true}};
  ordered_json spec = plot_of(title, rows, kPlotHeight);
  spec["encoding"] = {{"x", session_axis(dated)}, {"color", color}};
  spec["layer"] = {
      interval_layer("y", y),
      {{"mark", {{"type", "line"}, {"strokeWidth", 1.5}, {"opacity", 0.8}}}, {"encoding", {{"y", y}}}},
      {{"mark", {{"type", "point"}, {"filled", true}, {"size", 50}, {"opacity", 1}}},
       {"encoding",
        {{"y", y},
         {"shape", shape},
         {"tooltip",
          tooltips({{"session", "session"}, {"method", "method"}, {"rate", rate_title}, {"trials", "trials"}})}}}}};
  return {fmt::format("{}-sessions-{}", id_of(method.kind), method.method), title,
          "Bars: each rate's own 95 % interval, over the session's trials.", spec, numbers};
}

// Methods by sessions, coloured by the difference from the baseline.
Figure differences_figure(const std::vector<MethodRates>& rates) {
  const char* const kind = title_of(rates.front().kind);
  const std::string title = fmt::format("{} of each session, less fp32's", kind);
  std::vector<TextTable::Column> columns = {{"session", Align::left}};
  for (std::size_t m = 1; m < rates.size(); ++m) columns.push_back({rates[m].method});
  TextTable numbers(columns);
  ordered_json rows = ordered_json::array();
  double most = 0;
  for (std::size_t s = 0; s < rates.front().sessions.size(); ++s) {
    std::vector<std::string> cells = {rates.front().sessions[s].group};
    for (std::size_t m = 1; m < rates.size(); ++m) {
      const GroupRate& session = rates[m].sessions[s];
      rows.push_back(session_row(rates[m].method, session));
      most = std::max(most, std::abs(session.difference->difference));
      cells.push_back(interval_text(session.difference));
    }
    numbers.add_row(std::move(cells));
  }
  ordered_json spec = plot_of(title, rows, kRowHeight * static_cast<int>(rates.size()));
  ordered_json x = in_order(category("session"));
  x["axis"] = {{"labelAngle", -90}};
  spec["encoding"] = {{"x", x}, {"y", in_order(category("method"))}};
  spec["layer"] = {
      {{"mark", {{"type", "rect"}, {"stroke", "#88888866"}}},
       {"encoding",
        {{"color", difference_color("difference", "points", most)},
         {"tooltip", tooltips({{"session", "session"},
                               {"method", "method"},
                               {"difference", "points"},
                               {"difference_low", "from"},
                               {"difference_high", "to"}})}}}},
      {{"transform", {{{"filter", "datum.differs"}}}},
       {"mark", {{"type", "point"}, {"filled", true}, {"color", "#000000"}, {"size", 22}, {"opacity", 1}}}}};
  return {fmt::format("{}-sessions", id_of(rates.front().kind)),
          title,
          fmt::format("Orange is worse than fp32, blue better. A dot: the 95 % interval over the session's trials "
                      "excludes 0, for sessions of at least {} trials; chance alone makes that up to one in twenty.",
                      kEnoughTrials),
          spec,
          numbers,
          true};
}

}  // namespace

std::vector<Figure> session_figures(const Comparison& comparison, const std::vector<MethodRates>& rates) {
  std::vector<Figure> figures;
  if (rates.empty() || rates.front().sessions.empty()) return figures;
  const bool dated = all_dated(rates);
  if (rates.size() == 1) return {course_figure(comparison, rates.front(), rates.front(), dated)};
  figures.push_back(differences_figure(rates));
  for (std::size_t m = 1; m < rates.size(); ++m) {
    figures.push_back(course_figure(comparison, rates.front(), rates[m], dated));
  }
  return figures;
}

}  // namespace brainquant
