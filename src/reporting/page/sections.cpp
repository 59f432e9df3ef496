#include "reporting/page/sections.h"

#include <fmt/format.h>

#include "brainquant/reporting/comparison_report.h"
#include "reporting/comparison_facts.h"
#include "reporting/metrics.h"
#include "reporting/page/findings.h"

namespace brainquant {

namespace {

std::string figures_html(const std::vector<Figure>& figures) {
  if (figures.empty()) return "";
  std::string html = "<div class=\"figures\">\n";
  for (const Figure& figure : figures) html += html_figure(figure);
  return html + "</div>\n";
}

std::string figures_html(const std::optional<Figure>& figure) {
  return figure ? figures_html(std::vector{*figure}) : "";
}

std::string metrics_html(MetricTable which, const std::string& caption, const Comparison& comparison) {
  const std::vector<Metric>& metrics = comparison_metrics();
  if (!has_columns(which, comparison, metrics)) return "";
  return html_table(table_of(which, comparison, metrics), caption) +
         html_paragraph(notes_of(which, comparison, metrics));
}

}  // namespace

Section in_short_section(const Comparison& comparison, const std::vector<MethodRates>& per_rates) {
  std::string content;
  for (const Finding& finding : findings_of(comparison, per_rates)) {
    content += "<dt>" + html_escaped(finding.question) + "</dt>\n";
    for (const std::string& answer : finding.answers) content += "<dd>" + html_escaped(answer) + "</dd>\n";
  }
  return {"in-short", "In short", content.empty() ? "" : "<dl>\n" + content + "</dl>\n"};
}

Section methods_section(const Comparison& comparison) {
  return {"methods", "Methods",
          metrics_html(MetricTable::accuracy, "Size and accuracy", comparison) +
              metrics_html(MetricTable::sureness, "Better or worse than fp32", comparison)};
}

Section cost_section(const Comparison& comparison) {
  std::string remarks;
  for (const std::string& fact : comparison_facts(comparison)) remarks += "<li>" + html_escaped(fact) + "</li>\n";
  return {"cost", "Accuracy and cost",
          figures_html(cost_figures(comparison, RateKind::per)) +
              figures_html(cost_figures(comparison, RateKind::wer)) +
              metrics_html(MetricTable::cost, "Cost", comparison) +
              html_details("Remarks", "<ul class=\"facts\">\n" + remarks + "</ul>\n")};
}

Section sessions_section(const Comparison& comparison, const std::vector<std::vector<MethodRates>>& rates) {
  std::string content;
  for (const std::vector<MethodRates>& of_kind : rates) content += figures_html(session_figures(comparison, of_kind));
  return {"sessions", "Session by session", content};
}

Section corpora_section(const Comparison& comparison, const std::vector<std::vector<MethodRates>>& rates) {
  std::vector<Figure> figures;
  for (const std::vector<MethodRates>& of_kind : rates) {
    if (std::optional<Figure> figure = corpus_figure(comparison, of_kind)) figures.push_back(std::move(*figure));
  }
  return {"corpora", "Corpora", figures_html(figures)};
}

Section phonemes_section(const Comparison& comparison) {
  return {"phonemes", "Phonemes", figures_html(confusions_figure(comparison))};
}

Section steps_section(const Comparison& comparison) {
  return {"steps", "Time of a step", figures_html(steps_figure(comparison))};
}

Section weights_section(const Comparison& comparison, const PageExtras& extras) {
  std::string content = figures_html(weights_figure(comparison));
  if (extras.sensitivity != nullptr) content += figures_html(sensitivity_figures(*extras.sensitivity));
  return {"weights", "Weights", content};
}

}  // namespace brainquant
