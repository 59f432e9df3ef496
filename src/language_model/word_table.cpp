#include "language_model/word_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "brainquant/support/error.h"
#include "support/atomic_file.h"

namespace brainquant {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
constexpr std::string_view kBlanks = " \t\r";

std::string_view next_field(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
  line.remove_prefix(begin);
  const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(end);
  return field;
}

}  // namespace

bool is_special_symbol(std::string_view word) {
  if (word.size() >= 2 && word.front() == '<' && word.back() == '>') return true;
  return word.size() >= 2 && word.front() == '#' &&
         std::all_of(word.begin() + 1, word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

WordTable::WordTable(const std::filesystem::path& path) : path_(path.string()) {
  const std::string text = read_file(path, kMaxBytes);
  // An id beyond the number of bytes can't come from counting the file's lines: it would only make the table huge.
  const auto id_limit = static_cast<std::int64_t>(text.size());
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    ++line_number;
    const std::string where = fmt::format("line {}", line_number);
    const std::string_view word = next_field(line);
    const std::string_view number = next_field(line);
    if (word.empty() && line.empty()) continue;
    std::int64_t id = -1;
    const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(), id);
    const bool is_number = error == std::errc() && rest == number.data() + number.size() && !number.empty();
    if (!is_number || !next_field(line).empty()) throw FormatError(path_, where, "not \"WORD ID\"");
    if (id < 0 || id >= id_limit || id > std::numeric_limits<std::int32_t>::max()) {
      throw FormatError(path_, where, fmt::format("id {}", id), "an id counted from 0");
    }
    const auto index = static_cast<std::size_t>(id);
    if (index >= words_.size()) words_.resize(index + 1);
    if (!words_[index].empty())
      throw FormatError(path_, where, fmt::format("id {} for a second word", id), "one word an id");
    words_[index] = std::string(word);
  }
  if (words_.empty() || words_[0] != "<eps>") {
    throw FormatError(path_, "id 0", words_.empty() ? "no word" : '"' + words_[0] + '"', "<eps>");
  }
  special_.resize(words_.size());
  ids_.reserve(words_.size());
  for (std::size_t i = 0; i < words_.size(); ++i) {
    special_[i] = is_special_symbol(words_[i]) ? 1 : 0;
    if (!words_[i].empty()) ids_.emplace(words_[i], static_cast<std::int32_t>(i));
  }
}

std::optional<std::int32_t> WordTable::find(std::string_view word) const {
  const auto found = ids_.find(word);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace brainquant
