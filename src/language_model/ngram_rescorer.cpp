#include "language_model/ngram_rescorer.h"

#include <array>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "brainquant/support/error.h"
#include "language_model/word_table.h"

namespace brainquant {
namespace {

/// A lattice that is still too large when pruned to about this beam is given up.
constexpr double kLeastBeam = 1e-3;
constexpr std::array<const char*, 3> kOldModels = {"G.fst", "lm.arpa", "lm.arpa.gz"};

std::filesystem::path find_old_model(const std::filesystem::path& folder) {
  for (const char* name : kOldModels) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / name, ignored)) return folder / name;
  }
  throw UsageError("rescoring takes the first model's score off first, so " + folder.string() +
                   " needs that model: G.fst, lm.arpa or lm.arpa.gz");
}

/// The old and the new model side by side. States are pairs of their states, numbered as words lead to them.
class ModelPair {
 public:
  using Arc = WordAutomaton::Arc;

  ModelPair(std::unique_ptr<WordAutomaton> old_model, std::unique_ptr<WordAutomaton> new_model, const WordTable& words)
      : old_model_(std::move(old_model)), new_model_(std::move(new_model)), words_(words) {
    number_of(WordAutomaton::kStart, WordAutomaton::kStart);
  }

  /// The new model's cost less the old one's; nothing if one of them can't say the word.
  const std::optional<Arc>& say(std::uint32_t state, std::int32_t label) {
    const std::uint64_t key = std::uint64_t{state} << 32 | static_cast<std::uint32_t>(label);
    const auto [place, is_new] = arcs_.try_emplace(key);
    if (is_new) place->second = find_arc(states_[state], words_.word(label));
    return place->second;
  }

  std::optional<double> end_cost(std::uint32_t state) const {
    const std::optional<double> old_cost = old_model_->end_cost(states_[state].first);
    const std::optional<double> new_cost = new_model_->end_cost(states_[state].second);
    if (!old_cost || !new_cost) return std::nullopt;
    return *new_cost - *old_cost;
  }

 private:
  using State = std::pair<std::uint32_t, std::uint32_t>;

  std::optional<Arc> find_arc(const State state, const std::string& word) {
    const std::optional<Arc> old_arc = old_model_->say(state.first, word);
    const std::optional<Arc> new_arc = old_arc ? new_model_->say(state.second, word) : std::nullopt;
    if (!new_arc) return std::nullopt;
    return Arc{number_of(old_arc->next, new_arc->next), new_arc->cost - old_arc->cost};
  }

  std::uint32_t number_of(std::uint32_t old_state, std::uint32_t new_state) {
    const std::uint64_t key = std::uint64_t{old_state} << 32 | new_state;
    const auto [place, is_new] = numbers_.emplace(key, static_cast<std::uint32_t>(states_.size()));
    if (is_new) states_.emplace_back(old_state, new_state);
    return place->second;
  }

  std::unique_ptr<WordAutomaton> old_model_;
  std::unique_ptr<WordAutomaton> new_model_;
  const WordTable& words_;
  std::vector<State> states_;
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;
  std::unordered_map<std::uint64_t, std::optional<Arc>> arcs_;
};

/// Nothing if it has more than `max_arcs` arcs.
std::optional<WordLattice> compose(const WordLattice& lattice, ModelPair& models, std::size_t max_arcs) {
  WordLattice composed;
  // The models' states that paths bring to each node; a pair's place in its node's list is its number within the node.
  std::vector<std::vector<std::uint32_t>> states(lattice.num_nodes());
  std::unordered_map<std::uint64_t, std::uint32_t> places;
  std::vector<std::uint32_t> first_node(lattice.num_nodes());
  const auto reach = [&](std::uint32_t node, std::uint32_t state) {
    const std::uint64_t key = std::uint64_t{node} << 32 | state;
    const auto [place, is_new] = places.emplace(key, static_cast<std::uint32_t>(states[node].size()));
    if (is_new) states[node].push_back(state);
    return place->second;
  };
  reach(0, WordAutomaton::kStart);

  struct Target {
    std::uint32_t node;
    std::uint32_t place;
  };
  std::vector<Target> targets;
  for (std::uint32_t node = 0; node < lattice.num_nodes(); ++node) {
    first_node[node] = static_cast<std::uint32_t>(composed.final_cost.size());
    for (const std::uint32_t state : states[node]) {
      composed.first_arc.push_back(static_cast<std::uint32_t>(composed.arcs.size()));
      composed.final_cost.push_back(lattice.final_cost[node] + models.end_cost(state).value_or(WordLattice::kNotFinal));
      for (std::uint32_t a = lattice.first_arc[node]; a < lattice.first_arc[node + 1]; ++a) {
        WordLattice::Arc arc = lattice.arcs[a];
        std::uint32_t next = state;
        if (arc.word != 0) {
          const std::optional<ModelPair::Arc>& said = models.say(state, arc.word);
          if (!said) continue;
          next = said->next;
          arc.graph += said->cost;
        }
        if (composed.arcs.size() == max_arcs) return std::nullopt;
        targets.push_back({arc.next, reach(arc.next, next)});
        composed.arcs.push_back(arc);
      }
    }
  }
  composed.first_arc.push_back(static_cast<std::uint32_t>(composed.arcs.size()));
  for (std::size_t a = 0; a < targets.size(); ++a) {
    composed.arcs[a].next = first_node[targets[a].node] + targets[a].place;
  }
  return composed;
}

}  // namespace

NgramRescorer::NgramRescorer(const WfstGraph& graph, const std::filesystem::path& new_model)
    : words_(graph.words()),
      old_model_(open_ngram_model(find_old_model(graph.folder()), graph.words())),
      new_model_(open_ngram_model(new_model, graph.words())) {}

WordLattice NgramRescorer::rescored(const WordLattice& lattice, double beam, std::size_t most_arcs) const {
  ModelPair models(old_model_->automaton(), new_model_->automaton(), words_);
  std::optional<WordLattice> composed = compose(lattice, models, most_arcs);
  for (; !composed && beam > kLeastBeam; composed = compose(pruned(lattice, beam), models, most_arcs)) beam /= 2;
  return composed ? std::move(*composed) : WordLattice{};
}

}  // namespace brainquant
