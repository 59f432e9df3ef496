#include "decoding/grammar_fst.h"

#include <algorithm>
#include <cmath>

#include "brainquant/support/error.h"

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

std::optional<double> GrammarFst::log_probability(const std::vector<std::string>& words) const {
  Costs costs{{fst_.start(), 0.0}};
  follow_silent(costs);
  for (const std::string& word : words) {
    const std::optional<std::int32_t> label = words_.find(word);
    if (!label) return std::nullopt;
    Costs next_costs;
    for (const auto& [state, cost] : costs) {
      const double here = cost;
      for_each_arc(state, *label, [&](std::int32_t next, double weight) {
        const auto [place, is_new] = next_costs.emplace(next, here + weight);
        if (!is_new) place->second = std::min(place->second, here + weight);
      });
    }
    costs.swap(next_costs);
    follow_silent(costs);
  }
  double best = INFINITY;
  for (const auto& [state, cost] : costs) best = std::min(best, cost + fst_.state(state).final_weight);
  if (!std::isfinite(best)) return std::nullopt;
  return -best;
}

}  // namespace brainquant
