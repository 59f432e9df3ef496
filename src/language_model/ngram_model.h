// Language models over words, read from a file and followed word by word.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "brainquant/language_model/wfst_graph.h"

namespace brainquant {

/// A language model as an automaton without choices: one state for everything that can still matter of the words so
/// far. States come to be when a word leads to them; they are numbered in that order. One object serves one thread.
class WordAutomaton {
 public:
  struct Arc {
    std::uint32_t next = 0;
    double cost = 0;  // minus the natural logarithm of a probability
  };
  static constexpr std::uint32_t kStart = 0;

  virtual ~WordAutomaton() = default;
  /// Nothing if the model can't say the word there: it doesn't know it, and has no `<unk>`.
  virtual std::optional<Arc> say(std::uint32_t state, const std::string& word) = 0;
  /// Cost of ending the sentence; nothing if it can't end there.
  virtual std::optional<double> end_cost(std::uint32_t state) const = 0;
};

class NgramModel {
 public:
  virtual ~NgramModel() = default;
  /// The model must outlive it. Any number of threads may call it at once. Throws FormatError for a grammar that loops
  /// in words that say nothing.
  virtual std::unique_ptr<WordAutomaton> automaton() const = 0;
};

/// A model from a file: an ARPA back-off model, gzipped or not, or an OpenFst grammar (G.fst) whose input labels
/// `words` names.
///   ARPA: log10 p(w | h) as listed, else backoff(h) + log10 p(w | h without its first word); `<s>` before the sentence
///   and `</s>` behind it. A word not listed is looked up in lower case, then in upper case, then as `<unk>`.
///   Grammar: minus the least cost of a path that says the words. Epsilon, `#0` and the like, `<s>` and `</s>` say
///   nothing.
/// `words` must outlive it. Throws FileError, FormatError (naming the line or state).
std::unique_ptr<const NgramModel> open_ngram_model(const std::filesystem::path& path, const WordTable& words);

}  // namespace brainquant
