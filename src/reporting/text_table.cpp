#include "reporting/text_table.h"

#include <algorithm>
#include <numeric>

namespace brainquant {

namespace {

constexpr std::size_t kGap = 2;  // spaces between two columns

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

std::vector<std::size_t> TextTable::fitting_columns(const std::vector<std::size_t>& widths, std::size_t width) const {
  std::vector<std::size_t> kept(columns_.size());
  std::iota(kept.begin(), kept.end(), std::size_t{0});
  const auto used = [&] {
    std::size_t sum = 0;
    for (const std::size_t c : kept) sum += widths[c] + (c == kept.front() ? 0 : kGap);
    return sum;
  };
  while (!kept.empty() && used() > width) {
    const auto least = std::find_if(kept.rbegin(), kept.rend(), [&](std::size_t c) { return columns_[c].least; });
    kept.erase(least == kept.rend() ? kept.end() - 1 : least.base() - 1);
  }
  return kept;
}

std::string TextTable::left_out_text(const std::vector<std::size_t>& kept, std::size_t width) const {
  std::vector<std::string> titles;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (std::find(kept.begin(), kept.end(), c) == kept.end()) titles.push_back(columns_[c].title);
  }
  if (titles.empty()) return "";
  std::string text = "left out:";
  std::size_t used = text.size();
  for (std::size_t i = 0; i < titles.size(); ++i) {
    const std::string word = titles[i] + (i + 1 < titles.size() ? "," : "");
    const bool breaks = used + 1 + width_of(word) > width;
    text += (breaks ? "\n" : " ") + word;
    used = (breaks ? 0 : used + 1) + width_of(word);
  }
  return text + "\n";
}

std::string TextTable::text(std::size_t width) const {
  const std::vector<std::size_t> widths_of_columns = widths(rows_);
  const std::vector<std::size_t> kept = fitting_columns(widths_of_columns, width);
  if (kept.size() < std::min<std::size_t>(2, columns_.size())) return stacked();
  const auto line = [&](const auto& cell) {
    std::string result;
    for (const std::size_t c : kept) {
      result +=
          (c == kept.front() ? "" : std::string(kGap, ' ')) + padded(cell(c), widths_of_columns[c], columns_[c].align);
    }
    result.erase(result.find_last_not_of(' ') + 1);
    return result + "\n";
  };
  std::string text = line([&](std::size_t c) { return columns_[c].title; });
  text += line([&](std::size_t c) { return std::string(widths_of_columns[c], '-'); });
  for (const auto& row : rows_) text += line([&](std::size_t c) { return row[c]; });
  return text + left_out_text(kept, width);
}

std::string TextTable::stacked() const {
  std::string text;
  for (const auto& row : rows_) {
    if (!text.empty()) text += "\n";
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (!row[c].empty()) text += columns_[c].title + ": " + row[c] + "\n";
    }
  }
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
