// A comparison and a single experiment for people and programs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "brainquant/experiment/comparison.h"
#include "brainquant/reporting/comparison_page.h"
#include "brainquant/reporting/width.h"

namespace brainquant {

struct Metric;
/// The metrics of a comparison (src/reporting/metrics.h), in the order of CSV's columns.
const std::vector<Metric>& comparison_metrics();

// Renderers of a table of metrics. Text and Markdown are for people; CSV has one row a method; JSON is
// docs/results-schema.md's. The text's tables are `width` characters wide at most: columns that do not fit are only
// named.
std::string comparison_text(const Comparison& comparison, const std::vector<Metric>& metrics = comparison_metrics(),
                            std::size_t width = kAnyWidth);
std::string comparison_markdown(const Comparison& comparison,
                                const std::vector<Metric>& metrics = comparison_metrics());
/// A tabular of the package booktabs with the columns that papers print, for \input.
std::string comparison_latex(const Comparison& comparison, const std::vector<Metric>& metrics = comparison_metrics());
std::string comparison_csv(const Comparison& comparison, const std::vector<Metric>& metrics = comparison_metrics());
std::string comparison_json(const Comparison& comparison, const std::vector<Metric>& metrics = comparison_metrics());

/// Which words and phonemes each method changes: counts, and the sentences that differ.
std::string comparison_changes_markdown(const Comparison& comparison);

/// comparison.md, comparison.tex, comparison.csv, comparison.json, comparison_changes.md and comparison.html in
/// `folder`.
void write_comparison(const Comparison& comparison, const std::filesystem::path& folder, const PageExtras& extras = {});

/// Whether comparison.json in `folder` is this comparison's, and not one that another run has written since.
bool is_published(const Comparison& comparison, const std::filesystem::path& folder);

/// One method's summary in a line, and its JSON (schema brainquant/experiment).
std::string experiment_line(const MethodOutcome& outcome);
std::string experiment_json(const MethodOutcome& outcome);
/// Writes that JSON to `path`, and the page beside it as .html. Throws FileError.
void write_experiment(const MethodOutcome& outcome, const std::filesystem::path& path, const PageExtras& extras = {});

}  // namespace brainquant
