#include "brainquant/scoring/error_rate.h"

#include <algorithm>
#include <unordered_map>

namespace brainquant {

namespace {

// A cell of the distance table: the edits of a prefix's best alignment in the upper half, how many of them are
// deletions or insertions in the lower. Comparing two cells as integers prefers fewer edits, then more substitutions.
using Cell = std::uint64_t;
constexpr Cell kSubstitution = Cell{1} << 32;
constexpr Cell kGap = kSubstitution + 1;

// Interns words as numbers, so that one table serves phonemes and words.
class Numbering {
 public:
  std::vector<int> of(const std::vector<std::string>& words) {
    std::vector<int> numbers;
    numbers.reserve(words.size());
    for (const std::string& word : words) {
      numbers.push_back(known_.emplace(word, static_cast<int>(known_.size())).first->second);
    }
    return numbers;
  }

 private:
  std::unordered_map<std::string, int> known_;
};

bool is_kept(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == ' ' || c == '\''; }

// Every occurrence from left to right, without looking again at what was put in.
std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(from, at)) != std::string_view::npos; at = found + from.size()) {
    result += text.substr(at, found - at);
    result += to;
  }
  result += text.substr(at);
  return result;
}

}  // namespace

EditCounts edit_counts(const std::vector<int>& truth, const std::vector<int>& prediction) {
  const std::size_t n = truth.size();
  const std::size_t m = prediction.size();
  std::vector<Cell> row(m + 1);  // row i: the first i of truth against the first j of prediction
  for (std::size_t j = 0; j <= m; ++j) row[j] = kGap * j;
  for (std::size_t i = 1; i <= n; ++i) {
    Cell diagonal = row[0];
    row[0] = kGap * i;
    for (std::size_t j = 1; j <= m; ++j) {
      const Cell aligned = diagonal + (truth[i - 1] == prediction[j - 1] ? 0 : kSubstitution);
      diagonal = row[j];
      row[j] = std::min(aligned, std::min(row[j], row[j - 1]) + kGap);
    }
  }
  const auto edits = static_cast<std::int64_t>(row[m] >> 32);
  const auto gaps = static_cast<std::int64_t>(row[m] & 0xffffffffU);
  // Deletions minus insertions is what the truth is longer by, whatever the alignment.
  const auto longer_by = static_cast<std::int64_t>(n) - static_cast<std::int64_t>(m);
  return EditCounts{edits - gaps, (gaps + longer_by) / 2, (gaps - longer_by) / 2};
}

EditCounts edit_counts(const std::vector<std::string>& truth, const std::vector<std::string>& prediction) {
  Numbering numbering;
  const std::vector<int> truth_numbers = numbering.of(truth);
  return edit_counts(truth_numbers, numbering.of(prediction));
}

std::vector<AlignedWords> align_words(const std::vector<std::string>& truth,
                                      const std::vector<std::string>& prediction) {
  const std::size_t n = truth.size();
  const std::size_t m = prediction.size();
  std::vector<std::vector<Cell>> table(n + 1, std::vector<Cell>(m + 1));
  const auto aligned = [&](std::size_t i, std::size_t j) {
    return table[i - 1][j - 1] + (truth[i - 1] == prediction[j - 1] ? 0 : kSubstitution);
  };
  for (std::size_t i = 0; i <= n; ++i) {
    for (std::size_t j = 0; j <= m; ++j) {
      if (i == 0 || j == 0) {
        table[i][j] = kGap * (i + j);
      } else {
        table[i][j] = std::min(aligned(i, j), std::min(table[i - 1][j], table[i][j - 1]) + kGap);
      }
    }
  }
  std::vector<AlignedWords> columns;
  for (std::size_t i = n, j = m; i > 0 || j > 0;) {
    if (i > 0 && j > 0 && table[i][j] == aligned(i, j)) {
      columns.push_back({truth[--i], prediction[--j]});
    } else if (i > 0 && table[i][j] == table[i - 1][j] + kGap) {
      columns.push_back({truth[--i], ""});
    } else {
      columns.push_back({"", prediction[--j]});
    }
  }
  std::reverse(columns.begin(), columns.end());
  return columns;
}

std::string normalize_sentence(std::string_view sentence) {
  std::string kept;
  for (const char c : sentence) {
    if (is_kept(c)) kept += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const std::string text = replaced(replaced(replaced(kept, "- ", " "), "--", ""), " '", "'");
  std::string normalized;
  for (const std::string& word : words_of(text)) {
    if (!normalized.empty()) normalized += ' ';
    normalized += word;
  }
  return normalized;
}

std::vector<std::string> words_of(std::string_view normalized) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = normalized.find_first_not_of(' ', at)) != std::string_view::npos) {
    const std::size_t end = std::min(normalized.find(' ', at), normalized.size());
    words.emplace_back(normalized.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace brainquant
