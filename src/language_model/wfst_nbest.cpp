#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <utility>

#include "language_model/wfst_lattice.h"

namespace brainquant {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Prefixes looked at for each sentence asked for: an end to lists that no lattice of speech needs.
constexpr std::size_t kPrefixesPerSentence = 2000;

struct Costs {
  double graph = 0;
  double acoustic = 0;
  double total() const { return graph + acoustic; }
};

/// A sequence of words and the nodes that it can have led to, each by its best path: a state of the lattice
/// determinized on its words, built only where the search for the best sentences comes by.
struct Prefix {
  std::uint32_t previous = 0;  // index of the prefix without the last word
  std::int32_t word = 0;
  bool complete = false;  // the sentence ends here; its costs are nodes[0]'s
  std::vector<std::pair<std::uint32_t, Costs>> nodes;
};

/// A* over prefixes: the estimate of what is still to come is exact, so sentences come out in the order of their costs.
class SentenceSearch {
 public:
  SentenceSearch(const WordLattice& lattice, double beam)
      : lattice_(lattice), to_end_(costs_to_end(lattice)), limit_(to_end_[0] + beam), reached_(lattice.num_nodes()) {
    if (to_end_[0] < kInfinity) add(0, 0, false, to_end_[0], {{0, Costs{}}});
  }

  std::vector<WordSequence> best(int count) {
    std::vector<WordSequence> sentences;
    const std::size_t most = static_cast<std::size_t>(count) * kPrefixesPerSentence;
    for (std::size_t done = 0; done < most && !queue_.empty() && sentences.size() < static_cast<std::size_t>(count);
         ++done) {
      const std::uint32_t index = queue_.top().second;
      queue_.pop();
      if (prefixes_[index].complete) {
        sentences.push_back(sentence(index));
      } else {
        expand(index);
      }
    }
    return sentences;
  }

 private:
  using Entry = std::pair<double, std::uint32_t>;  // cost of the best sentence with the prefix; the prefix

  void add(std::uint32_t previous, std::int32_t word, bool complete, double cost,
           std::vector<std::pair<std::uint32_t, Costs>> nodes) {
    queue_.push({cost, static_cast<std::uint32_t>(prefixes_.size())});
    prefixes_.push_back({previous, word, complete, std::move(nodes)});
  }

  /// Follows the arcs without a word from the prefix's nodes on, in topological order, and gathers where each word
  /// leads.
  void expand(std::uint32_t index) {
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> open;
    const auto reach = [&](std::uint32_t node, const Costs& costs) {
      if (!(costs.total() + to_end_[node] <= limit_)) return;
      Reached& reached = reached_[node];
      if (reached.by != index + 1) {
        reached = {index + 1, costs};
        open.push(node);
      } else if (costs.total() < reached.costs.total()) {
        reached.costs = costs;
      }
    };
    const std::vector<std::pair<std::uint32_t, Costs>> nodes = std::move(prefixes_[index].nodes);
    for (const auto& [node, costs] : nodes) reach(node, costs);

    std::map<std::int32_t, std::map<std::uint32_t, Costs>> by_word;
    Costs end;
    double end_cost = kInfinity;
    while (!open.empty()) {
      const std::uint32_t node = open.top();
      open.pop();
      const Costs costs = reached_[node].costs;
      const double final_total = costs.total() + lattice_.final_cost[node];
      if (final_total < end_cost) {
        end_cost = final_total;
        end = {costs.graph + lattice_.final_cost[node], costs.acoustic};
      }
      for (std::uint32_t a = lattice_.first_arc[node]; a < lattice_.first_arc[node + 1]; ++a) {
        const WordLattice::Arc& arc = lattice_.arcs[a];
        const Costs next{costs.graph + arc.graph, costs.acoustic + arc.acoustic};
        if (arc.word == 0) {
          reach(arc.next, next);
          continue;
        }
        if (!(next.total() + to_end_[arc.next] <= limit_)) continue;
        const auto [place, is_new] = by_word[arc.word].emplace(arc.next, next);
        if (!is_new && next.total() < place->second.total()) place->second = next;
      }
    }
    if (end_cost <= limit_) add(index, 0, true, end_cost, {{0, end}});
    for (const auto& [word, targets] : by_word) {
      double cost = kInfinity;
      for (const auto& [node, costs] : targets) cost = std::min(cost, costs.total() + to_end_[node]);
      add(index, word, false, cost, {targets.begin(), targets.end()});
    }
  }

  WordSequence sentence(std::uint32_t index) const {
    const Costs& costs = prefixes_[index].nodes[0].second;
    WordSequence sequence{{}, costs.graph, costs.acoustic};
    for (std::uint32_t p = prefixes_[index].previous; p != 0; p = prefixes_[p].previous) {
      sequence.words.push_back(prefixes_[p].word);
    }
    std::reverse(sequence.words.begin(), sequence.words.end());
    return sequence;
  }

  struct Reached {
    std::uint32_t by = 0;  // the prefix whose expansion reached the node last, plus 1
    Costs costs;
  };

  const WordLattice& lattice_;
  const std::vector<double> to_end_;
  const double limit_;
  std::vector<Reached> reached_;
  std::vector<Prefix> prefixes_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

}  // namespace

std::vector<WordSequence> best_word_sequences(const WordLattice& lattice, int count, double beam) {
  if (lattice.num_nodes() == 0) return {};
  SentenceSearch search(lattice, beam);
  return search.best(count);
}

}  // namespace brainquant
