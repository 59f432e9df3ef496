// A language model as an automaton without choices: one state for everything that can still matter of the words so far.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace brainquant {

/// States come to be when a word leads to them; they are numbered in that order. One object serves one thread; any
/// number of them share their model.
class WordAutomaton {
 public:
  struct Arc {
    std::uint32_t next = 0;
    double cost = 0;  // minus the natural logarithm of a probability
  };
  static constexpr std::uint32_t kStart = 0;

  virtual ~WordAutomaton() = default;
  /// Nothing if the model can't say the word there.
  virtual std::optional<Arc> say(std::uint32_t state, const std::string& word) = 0;
  /// Cost of ending the sentence; nothing if it can't end there.
  virtual std::optional<double> end_cost(std::uint32_t state) const = 0;
};

}  // namespace brainquant
