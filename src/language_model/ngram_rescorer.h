// Replaces the n-gram score of a trial's sentences with that of a larger model.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "language_model/ngram_model.h"
#include "language_model/wfst_lattice.h"

namespace brainquant {

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
  std::unique_ptr<const NgramModel> old_model_;
  std::unique_ptr<const NgramModel> new_model_;
};

}  // namespace brainquant
