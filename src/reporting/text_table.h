// Tables for people: aligned text for a terminal, and Markdown.
#pragma once

#include <string>
#include <vector>

namespace brainquant {

class TextTable {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// Missing cells at the end are empty. Widths count UTF-8 characters.
  void add_row(std::vector<std::string> cells);

  std::size_t rows() const { return rows_.size(); }

  std::string text() const;      // columns two spaces apart, a rule below the titles
  std::string markdown() const;  // a pipe table; pipes in cells are escaped

 private:
  std::vector<std::size_t> widths(const std::vector<std::vector<std::string>>& rows) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace brainquant
