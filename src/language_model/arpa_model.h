// An n-gram model in the ARPA back-off format, plain or gzipped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "language_model/ngram_model.h"

namespace brainquant {

class ArpaModel final : public NgramModel {
 public:
  explicit ArpaModel(const std::filesystem::path& path);
  std::unique_ptr<WordAutomaton> automaton() const override;
  int order() const { return order_; }

 private:
  /// An n-gram, found by the n-gram without its last word and that word.
  struct Node {
    float log10_probability;  // NaN: not listed, only a prefix of listed ones
    float log10_backoff;
  };
  static constexpr std::uint32_t kRoot = 0;

  class Reader;
  class Automaton;
  std::uint32_t add_node(std::uint32_t context, std::uint32_t word);
  std::optional<std::uint32_t> find_node(std::uint32_t context, std::uint32_t word) const;
  std::optional<std::uint32_t> find_word(const std::string& word) const;
  /// The node of a history; nothing if no listed n-gram begins with it.
  std::optional<std::uint32_t> find_context(const std::uint32_t* begin, const std::uint32_t* end) const;
  std::optional<double> log10_of(const std::vector<std::uint32_t>& history, std::uint32_t word) const;

  int order_ = 0;
  std::unordered_map<std::string, std::uint32_t> words_;
  std::vector<Node> nodes_;
  std::unordered_map<std::uint64_t, std::uint32_t> children_;
  std::optional<std::uint32_t> begin_, end_, unknown_;
};

}  // namespace brainquant
