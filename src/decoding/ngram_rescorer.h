// Replaces the n-gram score of a trial's sentences with that of a larger model.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/decoding/wfst_graph.h"

namespace brainquant {

class WordAutomaton;
struct WordLattice;

/// Scores sentences. Any number of threads may use one at once.
class SentenceScorer {
 public:
  virtual ~SentenceScorer() = default;
  /// Natural logarithm of the sentence's probability, its end included; nothing if the model can't say the sentence (a
  /// word that it doesn't know, and no `<unk>`).
  std::optional<double> log_probability(const std::vector<std::string>& words) const;
  /// The model word by word; the scorer must outlive it.
  virtual std::unique_ptr<WordAutomaton> automaton() const = 0;
};

/// A model from a file: an ARPA back-off model, gzipped or not, or an OpenFst grammar (G.fst) whose input labels
/// `words` names.
///   ARPA: log10 p(w | h) as listed, else backoff(h) + log10 p(w | h without its first word); `<s>` before the sentence
///   and
///     `</s>` behind it. A word not listed is looked up in lower case, then in upper case, then as `<unk>`.
///   Grammar: minus the least cost of a path that says the words. Epsilon, `#0` and the like, `<s>` and `</s>` say
///   nothing.
/// Throws FileError, FormatError (naming the line or state).
std::unique_ptr<const SentenceScorer> open_sentence_scorer(const std::filesystem::path& path, const WordTable& words);

class NgramRescorer {
 public:
  /// The new model, and the one that the graph was built with: G.fst, lm.arpa or lm.arpa.gz in the graph's folder, the
  /// first that is there. `graph` must outlive it. Throws UsageError when there is none, FileError, FormatError.
  NgramRescorer(const WfstGraph& graph, const std::filesystem::path& new_model);

  /// The lattice of all its sentences that both models can say: each path's graph cost with the old model's cost of the
  /// path's words, the sentence's end included, taken off and the new model's put on. Nodes are pairs of a node of
  /// `lattice` and what the models need to know of the words that lead there, so paths have their exact cost. Words are
  /// labels of the graph's table, 0 for none. Empty if the models can say no sentence.
  ///   Should it have more than `most_arcs` arcs, `lattice` is first pruned to the paths within half of `beam` of its
  /// best one, then within a quarter, and so on until the result fits; empty if even the best path alone does not.
  WordLattice rescored(const WordLattice& lattice, double beam, std::size_t most_arcs = kMostArcs) const;
  /// 48 MB for each trial that is being rescored.
  static constexpr std::size_t kMostArcs = 2'000'000;

 private:
  const WordTable& words_;
  std::unique_ptr<const SentenceScorer> old_model_;
  std::unique_ptr<const SentenceScorer> new_model_;
};

}  // namespace brainquant
