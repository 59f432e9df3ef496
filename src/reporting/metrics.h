// What a comparison says of each method, as one table. Text, Markdown, CSV and JSON are renderings of it: a metric that
// is added to the table is in all four. LaTeX's has those of them that papers print.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "brainquant/experiment/comparison.h"
#include "brainquant/reporting/comparison_report.h"
#include "reporting/text_table.h"

namespace brainquant {

inline constexpr double kBytesPerMegabyte = 1e6;

/// Nothing where it was not measured.
using MetricValue = std::variant<std::monostate, std::int64_t, double, std::string>;

enum class Better { lower, higher, neither };
const char* name_of(Better better);  // "lower", "higher", "neither"

/// The tables of text and Markdown; the CSV and JSON files hold every metric.
enum class MetricTable { accuracy, sureness, cost, files_only };

/// When a metric's column stands in text and Markdown.
enum class MetricApplies { always, with_truth, with_words, with_own_scales };

struct Metric {
  std::string key;   // CSV's column and JSON's field
  std::string unit;  // of `value`: "bytes", "%", "points", "dB", "ms"; "" for a ratio, a count or a name
  Better better = Better::neither;
  std::function<MetricValue(const ComparedMethod&)> value;  // of a method that succeeded

  // How text and Markdown show it.
  MetricTable table = MetricTable::files_only;
  MetricApplies applies = MetricApplies::always;
  int place = 0;           // columns stand by rising places, those of equal ones in the list's order
  std::string title = {};  // of the column, with the unit shown
  TextTable::Align align = TextTable::Align::right;
  bool least = false;       // one of the first columns that a narrow terminal goes without
  bool in_papers = false;   // LaTeX's table has it too
  std::string form = "{}";  // fmt's form of the value, "{:.1f}", after it was divided by `divisor`
  double divisor = 1;       // bytes by one shown unit
  std::string infinite = "inf";
  std::string low = {};      // keys of the metrics that are the ends of its interval: "2.5 [1.5, 3.5]"
  std::string high = {};     // alone: the metric is itself the low end: "[1.5, 3.5]"
  std::string note = {};     // Markdown's sentence below the table
  std::string in_line = {};  // in experiment_line(), {} being the value as shown; "" keeps it out
};

bool was_measured(const Metric& metric, const ComparedMethod& method);

/// A verdict as all renderings spell it: "better", "worse", "can't tell with 60 trials".
std::string verdict_text(Verdict verdict, std::size_t trials);

/// A metric of a method as text and Markdown show it, "-" where there is none. `metrics` holds its interval's ends.
std::string shown(const Metric& metric, const ComparedMethod& method, const std::vector<Metric>& metrics);

/// The columns of a table for what was compared, from left to right.
std::vector<Metric> columns_of(MetricTable table, const Comparison& comparison, const std::vector<Metric>& metrics);
bool has_columns(MetricTable table, const Comparison& comparison, const std::vector<Metric>& metrics);

/// These columns with a row for each method, and what they mean.
TextTable table_of(MetricTable table, const Comparison& comparison, const std::vector<Metric>& metrics);
std::string notes_of(MetricTable table, const Comparison& comparison, const std::vector<Metric>& metrics);

}  // namespace brainquant
