#include <fmt/format.h>

#include <algorithm>

#include "reporting/metrics.h"
#include "reporting/page/figures.h"
#include "reporting/page/plots.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

using Align = TextTable::Align;

const std::optional<RateDifference>& difference_of(const ComparedMethod& method, RateKind kind) {
  return kind == RateKind::per ? method.per_difference : method.wer_difference;
}

double rate_of(const EvaluationSummary& evaluation, RateKind kind) {
  return (kind == RateKind::per ? evaluation.per : evaluation.wer)->total.rate();
}

/// What a method costs, on one of the axes of the cost plots.
struct Cost {
  std::string id;
  std::string title;  // with the unit
  std::string in_words;
  std::optional<double> (*of)(const EvaluationSummary&);
};

std::vector<Cost> costs() {
  return {{"size", "MB", "size",
           [](const EvaluationSummary& e) {
             return std::optional(static_cast<double>(e.model.bytes) / kBytesPerMegabyte);
           }},
          {"trial", "ms a trial (median)", "time a trial",
           [](const EvaluationSummary& e) {
             return e.timing.model_ms_p50 > 0 ? std::optional(e.timing.model_ms_p50) : std::nullopt;
           }},
          {"step", "ms a step (99 %)", "time a step",
           [](const EvaluationSummary& e) { return e.step ? std::optional(e.step->work.p99_ms) : std::nullopt; }}};
}

struct CostPoint {
  std::string method;
  double cost = 0;
  double rate = 0;
  std::optional<Interval> interval;  // of the rate, by that of its difference from the baseline
  bool front = true;                 // no other method is better in one of the two and as good in the other
};

std::vector<CostPoint> cost_points(const Comparison& comparison, RateKind kind, const Cost& cost) {
  std::vector<CostPoint> points;
  for (const ComparedMethod& method : comparison.methods) {
    const EvaluationSummary& evaluation = method.outcome.evaluation;
    if (!method.outcome.succeeded || !has_rate(evaluation, kind)) continue;
    const std::optional<double> value = cost.of(evaluation);
    if (!value) continue;
    CostPoint point{method.outcome.name, *value, rate_of(evaluation, kind), {}, true};
    if (const auto& difference = difference_of(method, kind)) {
      const double baseline = point.rate - difference->difference;
      point.interval = Interval{baseline + difference->low, baseline + difference->high};
    }
    points.push_back(point);
  }
  for (CostPoint& point : points) {
    point.front = std::none_of(points.begin(), points.end(), [&](const CostPoint& other) {
      return other.cost <= point.cost && other.rate <= point.rate &&
             (other.cost < point.cost || other.rate < point.rate);
    });
  }
  return points;
}

Figure cost_figure(const Comparison& comparison, RateKind kind, const Cost& cost,
                   const std::vector<CostPoint>& points) {
  const MethodMarks marks(comparison);
  const std::string rate_title = fmt::format("{} %", title_of(kind));
  const std::string title = fmt::format("{} against {}", title_of(kind), cost.in_words);
  TextTable numbers({{"method", Align::left}, {cost.title}, {rate_title}, {"on the front", Align::left}});
  ordered_json rows = ordered_json::array();
  for (const CostPoint& point : points) {
    ordered_json row = {{"method", point.method}, {"cost", point.cost}, {"rate", point.rate}, {"front", point.front}};
    if (point.interval) row.update({{"low", point.interval->low}, {"high", point.interval->high}});
    rows.push_back(std::move(row));
    numbers.add_row({point.method, fmt::format("{:.3g}", point.cost),
                     point.interval ? rate_text(point.rate, *point.interval) : fmt::format("{:.2f}", point.rate),
                     point.front ? "yes" : "no"});
  }
  ordered_json x = quantity("cost", cost.title);
  x["scale"] = {{"type", "log"}, {"nice", false}, {"padding", 24}};
  x["axis"] = {{"format", "~g"}, {"tickCount", 6}};
  ordered_json y = quantity("rate", rate_title);
  ordered_json spec = plot_of(title, rows, kPlotHeight);
  spec["encoding"] = {{"x", x}};
  ordered_json front = {{"transform", {{{"filter", "datum.front"}}}},
                        {"mark", {{"type", "line"}, {"strokeDash", {4, 4}}, {"opacity", 0.6}}},
                        {"encoding", {{"y", y}}}};
  ordered_json interval = interval_layer("y", y);
  interval["encoding"]["color"] = marks.color();
  ordered_json points_layer = {
      {"mark", {{"type", "point"}, {"filled", true}, {"size", 110}, {"opacity", 1}}},
      {"encoding",
       {{"y", y},
        {"color", marks.color()},
        {"shape", marks.shape()},
        {"tooltip", tooltips({{"method", "method"}, {"cost", cost.title}, {"rate", rate_title}})}}}};
  spec["layer"] = {front, interval, points_layer};
  return {fmt::format("{}-{}", id_of(kind), cost.id), title,
          "Bottom left is best. The dashed line joins the methods that none beats: no other is as good in both and "
          "better in one. Bars: the 95 % interval of the difference from fp32 on the same trials; within them "
          "differences may be chance.",
          spec, numbers};
}

}  // namespace

std::vector<Figure> cost_figures(const Comparison& comparison, RateKind kind) {
  std::vector<Figure> figures;
  for (const Cost& cost : costs()) {
    const std::vector<CostPoint> points = cost_points(comparison, kind, cost);
    if (points.size() > 1) figures.push_back(cost_figure(comparison, kind, cost, points));
  }
  return figures;
}

}  // namespace brainquant
