#include <fmt/format.h>

#include "reporting/page/figures.h"
#include "reporting/page/plots.h"

namespace brainquant {

using nlohmann::ordered_json;

namespace {

using Align = TextTable::Align;

}  // namespace

std::optional<Figure> steps_figure(const Comparison& comparison) {
  TextTable numbers({{"method", Align::left}, {"steps"}, {"p50 ms"}, {"p99 ms"}, {"max ms"}, {"late"}});
  ordered_json rows = ordered_json::array();
  double budget = 0;
  for (const ComparedMethod& method : comparison.methods) {
    const std::optional<StepReport>& step = method.outcome.evaluation.step;
    if (!method.outcome.succeeded || !step || step->histogram.empty()) continue;
    budget = step->budget_ms;
    const auto share = [&](std::int64_t count) {
      return 100.0 * static_cast<double>(count) / static_cast<double>(step->work.count);
    };
    const auto add = [&](double ms, std::int64_t count) {
      rows.push_back({{"method", method.outcome.name}, {"ms", ms}, {"count", count}, {"share", share(count)}});
    };
    // A staircase from 0 to 0.
    add(step->histogram.front().from_ms, 0);
    for (const LatencyBin& bin : step->histogram) add(bin.from_ms, bin.count);
    add(step->histogram.back().to_ms, 0);
    numbers.add_row({method.outcome.name, std::to_string(step->work.count), fmt::format("{:.3f}", step->work.p50_ms),
                     fmt::format("{:.3f}", step->work.p99_ms), fmt::format("{:.3f}", step->work.max_ms),
                     step->late ? std::to_string(*step->late) : "-"});
  }
  if (rows.empty()) return {};
  const std::string title = "How long steps took";
  const MethodMarks marks(comparison);
  ordered_json x = quantity("ms", "ms (logarithmic)");
  x["scale"] = {{"type", "log"}, {"nice", false}, {"padding", 12}};
  x["axis"] = {{"format", "~g"}, {"tickCount", 6}};
  ordered_json spec = plot_of(title, rows, kPlotHeight);
  ordered_json label = {
      {"mark", {{"type", "text"}, {"align", "right"}, {"dx", -6}, {"baseline", "top"}, {"y", 4}}},
      {"data", {{"values", {{{"ms", budget}, {"label", fmt::format("late: over {:g} ms", budget)}}}}}},
      {"encoding", {{"x", x}, {"text", {{"field", "label"}}}}}};
  spec["layer"] = {{{"mark", {{"type", "line"}, {"interpolate", "step-after"}, {"strokeWidth", 2}}},
                    {"encoding",
                     {{"x", x},
                      {"y", {{"field", "share"}, {"type", "quantitative"}, {"title", "% of the steps"}}},
                      {"color", marks.color()}}}},
                   {{"mark", {{"type", "rule"}, {"strokeDash", {6, 4}}, {"strokeWidth", 2}}},
                    {"data", {{"values", {{{"ms", budget}}}}}},
                    {"encoding", {{"x", x}}}},
                   label};
  return Figure{"steps",
                title,
                "A step is the work from one output to the next when bins come one by one. The dashed line is what a "
                "step may take to keep up with the signal.",
                spec,
                numbers,
                true};
}

}  // namespace brainquant
