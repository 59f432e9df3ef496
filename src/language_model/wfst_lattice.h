// The paths that a search kept, as a graph without cycles.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace brainquant {

/// Nodes are numbered so that every arc leads to a higher number; node 0 is the start. Costs are minus logarithms.
struct WordLattice {
  struct Arc {
    std::uint32_t next = 0;
    std::int32_t word = 0;  // 0: none
    double graph = 0;
    double acoustic = 0;  // scaled
  };
  static constexpr double kNotFinal = std::numeric_limits<double>::infinity();

  /// Arcs of node i: arcs[first_arc[i]] to arcs[first_arc[i + 1] - 1].
  std::vector<std::uint32_t> first_arc;
  std::vector<Arc> arcs;
  /// Graph cost of ending in the node, kNotFinal where no sentence ends.
  std::vector<double> final_cost;

  std::size_t num_nodes() const { return final_cost.size(); }
};

/// Least cost from each node to the end of a sentence.
std::vector<double> costs_to_end(const WordLattice& lattice);
/// The same nodes with the arcs and ends of the paths within `beam` of the best one.
WordLattice pruned(const WordLattice& lattice, double beam);

/// A sequence of words with the costs of its best path.
struct WordSequence {
  std::vector<std::int32_t> words;
  double graph = 0;
  double acoustic = 0;  // scaled
  double total() const { return graph + acoustic; }
};

/// The `count` distinct word sequences of least cost within `beam` of the best, best first; equal costs in an order
/// that depends on the lattice alone.
std::vector<WordSequence> best_word_sequences(const WordLattice& lattice, int count, double beam);

}  // namespace brainquant
