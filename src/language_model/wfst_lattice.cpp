#include "language_model/wfst_lattice.h"

#include <algorithm>

namespace brainquant {

std::vector<double> costs_to_end(const WordLattice& lattice) {
  std::vector<double> cost(lattice.final_cost);
  for (std::size_t n = cost.size(); n-- > 0;) {
    for (std::uint32_t a = lattice.first_arc[n]; a < lattice.first_arc[n + 1]; ++a) {
      const WordLattice::Arc& arc = lattice.arcs[a];
      cost[n] = std::min(cost[n], arc.graph + arc.acoustic + cost[arc.next]);
    }
  }
  return cost;
}

WordLattice pruned(const WordLattice& lattice, double beam) {
  WordLattice result;
  if (lattice.num_nodes() == 0) return result;
  const std::vector<double> to_end = costs_to_end(lattice);
  const double limit = to_end[0] + beam;
  std::vector<double> from_start(lattice.num_nodes(), WordLattice::kNotFinal);
  from_start[0] = 0;
  result.first_arc.push_back(0);
  for (std::size_t n = 0; n < lattice.num_nodes(); ++n) {
    for (std::uint32_t a = lattice.first_arc[n]; a < lattice.first_arc[n + 1]; ++a) {
      const WordLattice::Arc& arc = lattice.arcs[a];
      const double cost = from_start[n] + arc.graph + arc.acoustic;
      if (!(cost + to_end[arc.next] <= limit)) continue;
      from_start[arc.next] = std::min(from_start[arc.next], cost);
      result.arcs.push_back(arc);
    }
    result.first_arc.push_back(static_cast<std::uint32_t>(result.arcs.size()));
    const bool ends = from_start[n] + lattice.final_cost[n] <= limit;
    result.final_cost.push_back(ends ? lattice.final_cost[n] : WordLattice::kNotFinal);
  }
  return result;
}

}  // namespace brainquant
