#include "brainquant/reporting/bits_budget_text.h"

#include <fmt/format.h>

#include "reporting/interval_text.h"
#include "reporting/text_table.h"

namespace brainquant {

namespace {

using Align = TextTable::Align;

constexpr double kBytesPerMegabyte = 1e6;

std::string megabytes(std::int64_t bytes) {
  return fmt::format("{:.3f}", static_cast<double>(bytes) / kBytesPerMegabyte);
}

std::string costs_text(const BitsChoice& choice) {
  TextTable table({{"in 4 bits", Align::left}, {"MB saved"}, {"noise added"}, {"noise per MB"}, {"taken"}});
  std::int64_t place = 0;
  for (const MatrixCost& cost : choice.costs) {
    table.add_row({cost.matrix, megabytes(cost.bytes_saved), fmt::format("{:.1f}", cost.noise),
                   fmt::format("{:.1f}", cost.per_byte() * kBytesPerMegabyte),
                   place++ < choice.taken().matrices_in_4_bits ? "yes" : "no"});
  }
  return table.text();
}

std::string steps_text(const BitsChoice& choice) {
  std::vector<TextTable::Column> columns = {{"matrices in 4 bits"}, {"MB"}, {"PER %"}, {"PER - fp32 [95 %]"}};
  if (choice.fp32_wer) {
    columns.push_back({"WER %"});
    columns.push_back({"WER - fp32 [95 %]"});
  }
  columns.push_back({"in the budget"});
  TextTable table(columns);
  for (const BudgetStep& step : choice.steps) {
    std::vector<std::string> row = {std::to_string(step.matrices_in_4_bits), megabytes(step.bytes),
                                    fmt::format("{:.2f}", step.per), interval_text(step.per_difference)};
    if (choice.fp32_wer) {
      row.push_back(fmt::format("{:.2f}", step.wer.value_or(0)));
      row.push_back(interval_text(step.wer_difference));
    }
    row.push_back(step.within_budget ? "yes" : "no");
    table.add_row(std::move(row));
  }
  return table.text();
}

std::string budget_line(const char* measure, const std::optional<double>& points,
                        const std::optional<RateDifference>& difference) {
  if (!points || !difference) return "";
  const bool within = difference->difference <= *points;
  return fmt::format(
      "{}: {} points over fp32 (95 % interval), {} the budget of {}{}\n", measure, interval_text(difference),
      within ? "within" : "above", *points,
      within ? "" : fmt::format(" by {:.2f}, with every matrix in 8 bits", difference->difference - *points));
}

}  // namespace

std::string bits_budget_text(const BitsChoice& choice) {
  std::string text = costs_text(choice) + "\n" + steps_text(choice) + "\n";
  text += fmt::format("{} train trials; fp32 PER {:.2f} %", choice.trials.size(), choice.fp32_per);
  if (choice.fp32_wer) text += fmt::format(", WER {:.2f} %", *choice.fp32_wer);
  text += "\n" + budget_line("PER", choice.budget.max_per_increase, choice.taken().per_difference) +
          budget_line("WER", choice.budget.max_wer_increase, choice.taken().wer_difference);
  if (const auto trials = choice.trials_that_would_tell()) {
    text += fmt::format(
        "the interval is wider than twice the budget: these trials cannot tell so small a difference; about {} would\n",
        *trials);
  }
  return text;
}

}  // namespace brainquant
