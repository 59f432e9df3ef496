#include "language_model/grammar_fst.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "brainquant/support/error.h"
#include "language_model/word_table.h"

namespace brainquant {
namespace {

constexpr std::uint64_t kCheckedBytes = std::uint64_t{4} << 30;
// Improvements by silent arcs for one word that no back-off grammar comes near.
constexpr std::size_t kMaxSilentSteps = 1 << 20;

bool sorted_by_input(const FstFile& fst) {
  for (std::int32_t s = 0; s < fst.num_states(); ++s) {
    const FstState& state = fst.state(s);
    const FstArc* arcs = fst.arcs(state);
    if (!std::is_sorted(arcs, arcs + state.arcs, [](const FstArc& a, const FstArc& b) { return a.input < b.input; })) {
      return false;
    }
  }
  return true;
}

}  // namespace

GrammarFst::GrammarFst(const std::filesystem::path& path, const WordTable& words) : words_(words), fst_(path) {
  if (!fst_.mapped() || fst_.bytes() <= kCheckedBytes) {
    fst_.check({.max_input = words.max_id(), .max_output = words.max_id()});
  }
  sorted_ = sorted_by_input(fst_);
  for (std::int32_t id = 0; id <= words.max_id(); ++id) {
    if (words.special(id)) silent_.push_back(id);
  }
}

template <typename Visit>
void GrammarFst::for_each_arc(std::int32_t state, std::int32_t label, const Visit& visit) const {
  const FstState& from = fst_.state(state);
  const FstArc* begin = fst_.arcs(from);
  const FstArc* end = begin + from.arcs;
  const FstArc* arc =
      sorted_ ? std::lower_bound(begin, end, label, [](const FstArc& a, std::int32_t l) { return a.input < l; })
              : begin;
  for (; arc != end; ++arc) {
    if (arc->input == label) {
      visit(fst_.next(*arc), static_cast<double>(arc->weight));
    } else if (sorted_) {
      return;
    }
  }
}

void GrammarFst::follow_silent(Costs& costs) const {
  std::vector<std::int32_t> queue;
  for (const auto& [state, cost] : costs) queue.push_back(state);
  std::size_t steps = 0;
  while (!queue.empty()) {
    const std::int32_t state = queue.back();
    queue.pop_back();
    const double here = costs.at(state);
    for (const std::int32_t label : silent_) {
      for_each_arc(state, label, [&](std::int32_t next, double weight) {
        const double cost = here + weight;
        if (!std::isfinite(cost)) return;
        const auto [place, is_new] = costs.emplace(next, cost);
        if (!is_new && !(cost < place->second)) return;
        place->second = cost;
        if (++steps > kMaxSilentSteps) throw FormatError(fst_.path(), "arcs", "the grammar loops in epsilons");
        queue.push_back(next);
      });
    }
  }
}

/// A state is the set of the grammar's states that the words can have led to, each with the least cost, counted from
/// that of the cheapest state that the last word leads to. (The subset construction of weighted determinization: Mohri,
/// "Finite-state transducers in language and speech processing", Computational Linguistics 23, 1997.)
class GrammarFst::Automaton final : public WordAutomaton {
 public:
  explicit Automaton(const GrammarFst& grammar) : grammar_(grammar) { state_of({{grammar.fst_.start(), 0.0}}); }

  std::optional<Arc> say(std::uint32_t state, const std::string& word) override {
    const std::optional<std::int32_t> label = grammar_.words_.find(word);
    if (!label) return std::nullopt;
    Costs next;
    double least = INFINITY;
    for (const auto& [from, here] : *subsets_[state]) {
      grammar_.for_each_arc(from, *label, [&, before = here](std::int32_t to, double weight) {
        const double cost = before + weight;
        if (!std::isfinite(cost)) return;
        const auto [place, is_new] = next.emplace(to, cost);
        if (!is_new) place->second = std::min(place->second, cost);
        least = std::min(least, cost);
      });
    }
    if (next.empty()) return std::nullopt;
    for (auto& [to, cost] : next) cost -= least;
    return Arc{state_of(std::move(next)), least};
  }

  std::optional<double> end_cost(std::uint32_t state) const override {
    double least = INFINITY;
    for (const auto& [from, cost] : *subsets_[state]) {
      least = std::min(least, cost + grammar_.fst_.state(from).final_weight);
    }
    if (!std::isfinite(least)) return std::nullopt;
    return least;
  }

 private:
  std::uint32_t state_of(Costs costs) {
    grammar_.follow_silent(costs);
    const auto [place, is_new] = states_.emplace(std::move(costs), static_cast<std::uint32_t>(subsets_.size()));
    if (is_new) subsets_.push_back(&place->first);
    return place->second;
  }

  const GrammarFst& grammar_;
  std::map<Costs, std::uint32_t> states_;
  std::vector<const Costs*> subsets_;  // the map's keys
};

std::unique_ptr<WordAutomaton> GrammarFst::automaton() const { return std::make_unique<Automaton>(*this); }

}  // namespace brainquant
