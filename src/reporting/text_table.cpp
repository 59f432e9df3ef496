#include "reporting/text_table.h"

#include <algorithm>

namespace brainquant {

namespace {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t width, TextTable::Align align) {
  const std::string spaces(width - width_of(text), ' ');
  return align == TextTable::Align::left ? text + spaces : spaces + text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

void TextTable::add_row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> TextTable::widths(const std::vector<std::vector<std::string>>& rows) const {
  std::vector<std::size_t> result;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = width_of(columns_[c].title);
    for (const auto& row : rows) width = std::max(width, width_of(row[c]));
    result.push_back(width);
  }
  return result;
}

std::string TextTable::text() const {
  const std::vector<std::size_t> width = widths(rows_);
  const auto line = [&](const auto& cell) {
    std::string result;
    for (std::size_t c = 0; c < columns_.size(); ++c)
      result += (c ? "  " : "") + padded(cell(c), width[c], columns_[c].align);
    result.erase(result.find_last_not_of(' ') + 1);
    return result + "\n";
  };
  std::string text = line([&](std::size_t c) { return columns_[c].title; });
  text += line([&](std::size_t c) { return std::string(width[c], '-'); });
  for (const auto& row : rows_) text += line([&](std::size_t c) { return row[c]; });
  return text;
}

std::string TextTable::markdown() const {
  std::vector<std::vector<std::string>> rows = rows_;
  for (auto& row : rows) std::transform(row.begin(), row.end(), row.begin(), escaped);
  const std::vector<std::size_t> width = widths(rows);
  const auto line = [&](const auto& cell) {
    std::string result = "|";
    for (std::size_t c = 0; c < columns_.size(); ++c)
      result += " " + padded(cell(c), width[c], columns_[c].align) + " |";
    return result + "\n";
  };
  std::string text = line([&](std::size_t c) { return columns_[c].title; });
  text += "|";
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    text += columns_[c].align == Align::left ? " :" + std::string(width[c] - 1, '-') + " |"
                                             : " " + std::string(width[c] - 1, '-') + ": |";
  }
  text += "\n";
  for (const auto& row : rows) text += line([&](std::size_t c) { return row[c]; });
  return text;
}

}  // namespace brainquant
