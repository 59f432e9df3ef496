#include "brainquant/reporting/comparison_page.h"

#include <fmt/format.h>

#include "brainquant/version.h"
#include "reporting/page/assets.h"
#include "reporting/page/html.h"
#include "reporting/page/plots.h"
#include "reporting/page/sections.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace {

// The page asks nothing of any server, and its browser sees to that. Vega makes functions of the plots' expressions.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:";

std::string what_it_is(const Comparison& comparison) {
  const EvaluationSummary* any = comparison.any_evaluation();
  if (any == nullptr) return "No method succeeded.";
  return fmt::format("{} trials of the {} split, {}", any->trials.size(), comparison.eval_type, any->model.path);
}

std::string contents_html(const std::vector<Section>& sections) {
  std::string html = "<nav aria-label=\"Contents\"><ul>\n";
  for (const Section& section : sections) {
    html += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", section.id, html_escaped(section.title));
  }
  return html + "</ul></nav>\n";
}

std::string page_of(const std::string& title, const Comparison& comparison, const PageExtras& extras) {
  const std::vector<std::vector<MethodRates>> rates = {rates_of(comparison, RateKind::per),
                                                       rates_of(comparison, RateKind::wer)};
  std::vector<Section> sections;
  for (Section& section :
       std::vector{in_short_section(comparison, rates.front()), methods_section(comparison), cost_section(comparison),
                   sessions_section(comparison, rates), corpora_section(comparison, rates),
                   phonemes_section(comparison), sentences_section(comparison), steps_section(comparison),
                   weights_section(comparison, extras), run_section(comparison, extras)}) {
    if (!section.content.empty()) sections.push_back(std::move(section));
  }
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<meta name=\"generator\" content=\"brainquant {}\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n"
      "<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<header><h1>{}</h1>\n<p>{}</p></header>\n",
      kPolicy, kVersion, html_escaped(title), page_style(), html_escaped(title), html_escaped(what_it_is(comparison)));
  html += contents_html(sections) + "<main id=\"main\">\n";
  html += "<noscript><p>The plots need JavaScript; the tables below each hold the same numbers.</p></noscript>\n";
  for (const Section& section : sections) {
    html += fmt::format("<section aria-labelledby=\"{0}\">\n<h2 id=\"{0}\">{1}</h2>\n{2}</section>\n", section.id,
                        html_escaped(section.title), section.content);
  }
  html += fmt::format("</main>\n<footer><p>Made by brainquant {}.</p></footer>\n", html_escaped(kVersion));
  html += html_json("plot-config", "", plot_config());
  html += "<script type=\"module\">\n" + std::string(vega_bundle()) + "\n</script>\n";
  html += "<script type=\"module\">\n" + std::string(page_script()) + "</script>\n</body>\n</html>\n";
  return html;
}

}  // namespace

std::string comparison_page(const Comparison& comparison, const PageExtras& extras) {
  return page_of("Quantization methods compared", comparison, extras);
}

std::string experiment_page(const MethodOutcome& outcome, const PageExtras& extras) {
  Comparison alone;
  alone.tool_version = kVersion;
  alone.eval_type = outcome.evaluation.eval_type;
  alone.for_testing = outcome.evaluation.for_testing;
  alone.methods.resize(1);
  alone.methods.front().outcome = outcome;
  return page_of(outcome.name, alone, extras);
}

void write_comparison_page(const Comparison& comparison, const std::filesystem::path& path, const PageExtras& extras) {
  write_file_atomically(path, comparison_page(comparison, extras));
}

void write_experiment_page(const MethodOutcome& outcome, const std::filesystem::path& path, const PageExtras& extras) {
  write_file_atomically(path, experiment_page(outcome, extras));
}

}  // namespace brainquant
