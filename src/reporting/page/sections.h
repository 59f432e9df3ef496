// The parts of a comparison's page, each a <section> of HTML with a heading; "" where there is nothing to show.
#pragma once

#include <string>
#include <vector>

#include "brainquant/experiment/comparison.h"
#include "brainquant/reporting/comparison_page.h"
#include "reporting/page/figures.h"

namespace brainquant {

/// Its heading stands in the page's contents under `id`.
struct Section {
  std::string id;
  std::string title;
  std::string content;  // HTML; "" leaves the section out
};

Section in_short_section(const Comparison& comparison, const std::vector<MethodRates>& per_rates);
Section methods_section(const Comparison& comparison);
Section cost_section(const Comparison& comparison);
Section sessions_section(const Comparison& comparison, const std::vector<std::vector<MethodRates>>& rates);
Section corpora_section(const Comparison& comparison, const std::vector<std::vector<MethodRates>>& rates);
Section phonemes_section(const Comparison& comparison);
Section sentences_section(const Comparison& comparison);
Section steps_section(const Comparison& comparison);
Section weights_section(const Comparison& comparison, const PageExtras& extras);
Section run_section(const Comparison& comparison, const PageExtras& extras);

}  // namespace brainquant
