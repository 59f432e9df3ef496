// The words that the labels of a decoding graph stand for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace brainquant {

/// words.txt: one line a word, "WORD ID", ids from 0 (epsilon) on in any order. Immutable.
class WordTable {
 public:
  /// Throws FileError; FormatError naming the line for anything but two fields, an id that is no number, negative, used
  /// twice or beyond what the file's length allows, and for a table whose id 0 is not `<eps>`.
  explicit WordTable(const std::filesystem::path& path);
  WordTable(const WordTable&) = delete;
  WordTable& operator=(const WordTable&) = delete;

  std::int32_t max_id() const { return static_cast<std::int32_t>(words_.size()) - 1; }
  /// The word of a label from 0 to max_id(); empty where the file has none.
  const std::string& word(std::int32_t id) const { return words_[static_cast<std::size_t>(id)]; }
  std::optional<std::int32_t> find(std::string_view word) const;
  /// True for the symbols that never appear in a sentence: `<eps>`, `<s>` and the like in angle brackets, `#0`, `#1`,
  /// ...
  bool special(std::int32_t id) const { return special_[static_cast<std::size_t>(id)] != 0; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::string> words_;
  std::vector<std::uint8_t> special_;
  std::unordered_map<std::string_view, std::int32_t> ids_;
};

/// Whether a symbol is one of those that never appear in a sentence.
bool is_special_symbol(std::string_view word);

}  // namespace brainquant
