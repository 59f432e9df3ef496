#include "reporting/page/plots.h"

#include <array>

namespace brainquant {

using nlohmann::ordered_json;

namespace {

constexpr const char* kSchema = "https://vega.github.io/schema/vega-lite/v6.json";
constexpr int kLabelBound = 8;  // pixels that an axis's last label may stand out
constexpr const char* kPageColor = "currentColor";

// Okabe and Ito's colours ("Color Universal Design", 2008), the light ones darkened to stand out on white as well.
constexpr std::array kColors = {"#7a7a7a", "#0072b2", "#d55e00", "#009e73", "#b0558f",
                                "#c48a00", "#3a9bd1", "#8a6d3b", "#5b4fc7", "#a01f3c"};
constexpr std::array kShapes = {"circle",        "square",         "triangle-up",   "diamond", "cross",
                                "triangle-down", "triangle-right", "triangle-left", "stroke",  "arrow"};

template <std::size_t N>
ordered_json first_of(const std::array<const char*, N>& all, std::size_t count) {
  ordered_json chosen = ordered_json::array();
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(all[i % N]);
  return chosen;
}

}  // namespace

ordered_json plot_config() {
  const ordered_json text = {{"aria", false},       {"labelColor", kPageColor}, {"titleColor", kPageColor},
                             {"labelFontSize", 12}, {"titleFontSize", 12},      {"titleFontWeight", 600},
                             {"labelLimit", 200}};
  ordered_json axis = text;
  axis.update({{"domainColor", kPageColor},
               {"tickColor", kPageColor},
               {"gridColor", "#888888"},
               {"gridOpacity", 0.25},
               {"labelOverlap", "greedy"},
               {"labelSeparation", 4},
               {"labelBound", kLabelBound},
               {"titlePadding", 8}});
  ordered_json legend = text;
  legend.update({{"labelLimit", 260}, {"orient", "bottom"}, {"symbolSize", 90}, {"symbolStrokeWidth", 2}});
  return {{"background", nullptr},
          {"font", "system-ui, sans-serif"},
          {"padding", {{"left", 4}, {"right", kLabelBound + 4}, {"top", 4}, {"bottom", 4}}},
          {"view", {{"stroke", nullptr}}},
          {"mark", {{"aria", false}}},
          {"axis", axis},
          {"legend", legend},
          {"text", {{"color", kPageColor}, {"fontSize", 12}}},
          {"rule", {{"color", kPageColor}}},
          {"line", {{"color", kPageColor}}}};
}

MethodMarks::MethodMarks(const Comparison& comparison) {
  for (const ComparedMethod& method : comparison.methods) methods_.push_back(method.outcome.name);
}

ordered_json MethodMarks::color() const {
  return {{"field", "method"},
          {"type", "nominal"},
          {"title", nullptr},
          {"scale", {{"domain", methods_}, {"range", first_of(kColors, methods_.size())}}}};
}

ordered_json MethodMarks::shape() const {
  return {{"field", "method"},
          {"type", "nominal"},
          {"title", nullptr},
          {"scale", {{"domain", methods_}, {"range", first_of(kShapes, methods_.size())}}}};
}

ordered_json plot_of(const std::string& title, ordered_json rows, int height) {
  return {{"$schema", kSchema},
          {"description", title},
          {"width", "container"},
          {"height", height},
          {"autosize", {{"type", "fit-x"}, {"contains", "padding"}}},
          {"data", {{"values", std::move(rows)}}}};
}

ordered_json quantity(const std::string& field, const std::string& title) {
  return {{"field", field}, {"type", "quantitative"}, {"title", title}, {"scale", {{"zero", false}}}};
}

ordered_json category(const std::string& field) { return {{"field", field}, {"type", "nominal"}, {"title", nullptr}}; }

ordered_json in_order(ordered_json encoding) {
  encoding["sort"] = nullptr;
  return encoding;
}

ordered_json interval_layer(const std::string& axis, ordered_json encoding) {
  encoding["field"] = "low";
  return {{"mark", {{"type", "rule"}, {"strokeWidth", 1.5}, {"opacity", 0.7}}},
          {"encoding", {{axis, std::move(encoding)}, {axis + "2", {{"field", "high"}}}}}};
}

ordered_json tooltips(const std::vector<std::pair<std::string, std::string>>& fields) {
  ordered_json list = ordered_json::array();
  for (const auto& [field, title] : fields) list.push_back({{"field", field}, {"title", title}});
  return list;
}

namespace {

ordered_json gradient(const std::string& field, const std::string& title, ordered_json scale) {
  return {{"field", field},
          {"type", "quantitative"},
          {"title", title},
          {"legend",
           {{"orient", "bottom"},
            {"direction", "horizontal"},
            {"gradientLength", 120},
            {"titleLimit", 300},
            {"tickCount", 3}}},
          {"scale", std::move(scale)}};
}

}  // namespace

ordered_json amount_color(const std::string& field, const std::string& title, double most) {
  return gradient(field, title, {{"domain", {0, most > 0 ? most : 1}}, {"range", {"#f2f2f2", "#a58bd0"}}});
}

ordered_json difference_color(const std::string& field, const std::string& title, double most) {
  const double end = most > 0 ? most : 1;
  return gradient(field, title, {{"domain", {-end, 0, end}}, {"range", {"#4a9fd8", "#f2f2f2", "#e07b2a"}}});
}

}  // namespace brainquant
