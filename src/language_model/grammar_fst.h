// A word grammar (G.fst) as an n-gram model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "language_model/fst_file.h"
#include "language_model/ngram_model.h"

namespace brainquant {

class GrammarFst final : public NgramModel {
 public:
  /// `words` must outlive it.
  GrammarFst(const std::filesystem::path& path, const WordTable& words);
  std::unique_ptr<WordAutomaton> automaton() const override;

 private:
  class Automaton;
  using Costs = std::map<std::int32_t, double>;  // least cost of each state reached

  void follow_silent(Costs& costs) const;
  template <typename Visit>
  void for_each_arc(std::int32_t state, std::int32_t label, const Visit& visit) const;

  const WordTable& words_;
  FstFile fst_;
  bool sorted_ = false;               // every state's arcs by input label
  std::vector<std::int32_t> silent_;  // labels that say nothing
};

}  // namespace brainquant
