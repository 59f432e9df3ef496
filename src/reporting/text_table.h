// Tables for people: aligned text for a terminal, and Markdown.
#pragma once

#include <string>
#include <vector>

#include "brainquant/reporting/width.h"

namespace brainquant {

class TextTable {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
    bool least = false;  // one of the first to be left out of a narrow text
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Missing cells at the end are empty. Widths count UTF-8 characters.
  void add_row(std::vector<std::string> cells);

  std::size_t rows() const { return rows_.size(); }
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<std::string>>& cells() const { return rows_; }  // of each row one for each column

  /// Columns two spaces apart, a rule below the titles. Where lines would be longer than `width` characters, columns
  /// are left out, the least ones first and from the right, and named below; where not even two fit, each row becomes
  /// lines of "title: cell".
  std::string text(std::size_t width = kAnyWidth) const;
  std::string markdown() const;  // a pipe table; pipes in cells are escaped

 private:
  std::vector<std::size_t> fitting_columns(const std::vector<std::size_t>& widths, std::size_t width) const;
  std::string left_out_text(const std::vector<std::size_t>& kept, std::size_t width) const;
  std::string stacked() const;
  std::vector<std::size_t> widths(const std::vector<std::vector<std::string>>& rows) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace brainquant
