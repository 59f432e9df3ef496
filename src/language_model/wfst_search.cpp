#include "language_model/wfst_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "brainquant/support/error.h"

namespace brainquant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Added to a beam that max_active or min_active set, so that it isn't a hair narrower than what they let through.
constexpr float kBeamMargin = 0.5F;
// Frames between two prunings of the lattice: often enough to keep it small, seldom enough to cost little.
constexpr std::size_t kPruneInterval = 25;
// Improvements of tokens by epsilons in one frame that no graph without epsilon loops comes near.
constexpr std::size_t kMaxEpsilonSteps = std::size_t{1} << 26;
constexpr std::uint32_t kNoHistory = 0;

}  // namespace

void WfstSearch::TokenIndex::clear() {
  if (slots_.empty()) slots_.resize(4096);
  if (++generation_ == 0) {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    generation_ = 1;
  }
  used_ = 0;
}

std::uint32_t& WfstSearch::TokenIndex::find_or_add(std::int32_t state) {
  if (2 * used_ >= slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  // Fibonacci hashing: neighbouring states end up far from each other.
  std::size_t place =
      (static_cast<std::uint64_t>(static_cast<std::uint32_t>(state)) * 0x9E3779B97F4A7C15ULL >> 24) & mask;
  for (;; place = (place + 1) & mask) {
    Slot& slot = slots_[place];
    if (slot.generation != generation_) {
      slot = {state, kNone, generation_};
      ++used_;
      return slot.token;
    }
    if (slot.state == state) return slot.token;
  }
}

void WfstSearch::TokenIndex::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.generation == generation_) find_or_add(slot.state) = slot.token;
  }
}

WfstSearch::WfstSearch(const FstFile& graph, const WfstOptions& options) : graph_(graph), options_(options) { reset(); }

void WfstSearch::reset() {
  frames_.clear();
  histories_.assign(1, {kNoHistory, 0});
  pruned_frames_ = 0;
  frames_.emplace_back();
  index_.clear();
  std::uint32_t token = 0;
  relax(frames_[0], graph_.start(), 0.0F, kNoHistory, 0, token);
  follow_epsilons(frames_[0], options_.beam);
}

void WfstSearch::push(const float* costs, int classes) {
  if (frames() > 0 && frames() % kPruneInterval == 0) prune_lattice();
  frames_.emplace_back();
  Frame& from = frames_[frames_.size() - 2];
  Frame& to = frames_.back();
  from.costs.assign(1, 0.0F);
  from.costs.insert(from.costs.end(), costs, costs + classes);
  index_.clear();
  const float cutoff = follow_emitting(from, to);
  follow_epsilons(to, cutoff);
}

WfstSearch::Cutoff WfstSearch::cutoff_of(const std::vector<Token>& tokens) {
  scratch_costs_.clear();
  float best = kInfinity;
  for (const Token& token : tokens) {
    scratch_costs_.push_back(token.cost);
    best = std::min(best, token.cost);
  }
  const auto nth_cost = [&](int n) {
    std::nth_element(scratch_costs_.begin(), scratch_costs_.begin() + n, scratch_costs_.end());
    return scratch_costs_[static_cast<std::size_t>(n)];
  };
  const float by_beam = best + options_.beam;
  if (scratch_costs_.size() > static_cast<std::size_t>(options_.max_active)) {
    const float by_count = nth_cost(options_.max_active);
    if (by_count < by_beam) return {by_count, by_count - best + kBeamMargin};
  }
  if (options_.min_active > 0) {
    // So few tokens are all kept, and everything that they lead to.
    if (scratch_costs_.size() <= static_cast<std::size_t>(options_.min_active)) return {kInfinity, kInfinity};
    const float by_count = nth_cost(options_.min_active);
    if (by_count > by_beam) return {by_count, by_count - best + kBeamMargin};
  }
  return {by_beam, options_.beam};
}

bool WfstSearch::relax(Frame& frame, std::int32_t state, float cost, std::uint32_t history, std::int32_t word,
                       std::uint32_t& token) {
  std::uint32_t& place = index_.find_or_add(state);
  if (place == TokenIndex::kNone) {
    place = static_cast<std::uint32_t>(frame.tokens.size());
    frame.tokens.push_back({state, kNoHistory, kInfinity, 0.0F});
  }
  token = place;
  Token& target = frame.tokens[token];
  if (!(cost < target.cost)) return false;
  target.cost = cost;
  target.history = history;
  if (word != 0) {
    target.history = static_cast<std::uint32_t>(histories_.size());
    histories_.push_back({history, word});
  }
  return true;
}

float WfstSearch::follow_emitting(Frame& from, Frame& to) {
  if (from.tokens.empty()) return kInfinity;
  const Cutoff cutoff = cutoff_of(from.tokens);
  const auto best = std::min_element(from.tokens.begin(), from.tokens.end(),
                                     [](const Token& a, const Token& b) { return a.cost < b.cost; });
  from.offset = best->cost;
  const int classes = static_cast<int>(from.costs.size()) - 1;

  const auto graph_cost = [&](const Token& token, const FstArc& arc) {
    return arc.weight + (arc.next != token.state ? options_.length_penalty : 0.0F);
  };
  const auto acoustic_cost = [&](const FstArc& arc) {
    if (arc.input < 0 || arc.input > classes) throw_bad_label(arc, classes);
    return from.costs[static_cast<std::size_t>(arc.input)];
  };

  // The best token's continuations bound what is worth creating before all others have been looked at.
  float next_cutoff = kInfinity;
  {
    const FstState& state = graph_.state(best->state);
    const FstArc* arcs = graph_.arcs(state);
    for (std::uint32_t i = 0; i < state.arcs; ++i) {
      if (arcs[i].input == 0) continue;
      next_cutoff = std::min(next_cutoff, acoustic_cost(arcs[i]) + graph_cost(*best, arcs[i]) + cutoff.beam);
    }
  }

  for (std::uint32_t t = 0; t < from.tokens.size(); ++t) {
    const Token& token = from.tokens[t];
    if (token.cost > cutoff.cost) continue;
    const float here = token.cost - from.offset;
    const FstState& state = graph_.state(token.state);
    const FstArc* arcs = graph_.arcs(state);
    for (std::uint32_t i = 0; i < state.arcs; ++i) {
      const FstArc& arc = arcs[i];
      if (arc.input == 0) continue;
      const float graph = graph_cost(token, arc);
      const float cost = here + acoustic_cost(arc) + graph;
      if (!(cost < next_cutoff)) continue;
      next_cutoff = std::min(next_cutoff, cost + cutoff.beam);
      std::uint32_t target = 0;
      relax(to, graph_.next(arc), cost, token.history, arc.output, target);
      from.emitting.push_back({t, target, arc.output, arc.input, graph});
    }
  }
  return next_cutoff;
}

void WfstSearch::follow_epsilons(Frame& frame, float cutoff) {
  queue_.clear();
  for (std::uint32_t t = 0; t < frame.tokens.size(); ++t) {
    if (graph_.state(frame.tokens[t].state).input_epsilons > 0) queue_.push_back(t);
  }
  if (queue_.empty()) return;

  std::size_t steps = 0;
  while (!queue_.empty()) {
    const Token token = frame.tokens[queue_.back()];
    queue_.pop_back();
    if (!(token.cost < cutoff)) continue;
    const FstState& state = graph_.state(token.state);
    const FstArc* arcs = graph_.arcs(state);
    for (std::uint32_t i = 0; i < state.arcs; ++i) {
      if (arcs[i].input != 0) continue;
      const float cost = token.cost + arcs[i].weight;
      if (!(cost < cutoff)) continue;
      std::uint32_t target = 0;
      const std::int32_t next = graph_.next(arcs[i]);
      if (!relax(frame, next, cost, token.history, arcs[i].output, target)) continue;
      if (++steps > kMaxEpsilonSteps) throw FormatError(graph_.path(), "arcs", "the graph loops in input epsilons");
      if (graph_.state(next).input_epsilons > 0) queue_.push_back(target);
    }
  }

  // The links are written once all costs are final.
  for (std::uint32_t t = 0; t < frame.tokens.size(); ++t) {
    const Token token = frame.tokens[t];
    const FstState& state = graph_.state(token.state);
    if (state.input_epsilons == 0 || !(token.cost < cutoff)) continue;
    const FstArc* arcs = graph_.arcs(state);
    for (std::uint32_t i = 0; i < state.arcs; ++i) {
      if (arcs[i].input != 0 || !(token.cost + arcs[i].weight < cutoff)) continue;
      const std::uint32_t target = index_.find_or_add(graph_.next(arcs[i]));
      frame.epsilons.push_back({t, target, arcs[i].output, 0, arcs[i].weight});
    }
  }
  sort_epsilon_links(frame);
}

void WfstSearch::sort_epsilon_links(Frame& frame) {
  const std::size_t n = frame.tokens.size();
  std::vector<std::uint32_t> first(n + 1, 0);
  std::vector<std::uint32_t> incoming(n, 0);
  for (const Link& link : frame.epsilons) {
    ++first[link.from + 1];
    ++incoming[link.to];
  }
  for (std::size_t t = 0; t < n; ++t) first[t + 1] += first[t];

  queue_.clear();
  for (std::uint32_t t = 0; t < n; ++t) {
    if (incoming[t] == 0 && first[t + 1] > first[t]) queue_.push_back(t);
  }
  std::vector<Link> sorted;
  sorted.reserve(frame.epsilons.size());
  for (std::size_t done = 0; done < queue_.size(); ++done) {
    const std::uint32_t t = queue_[done];
    for (std::uint32_t i = first[t]; i < first[t + 1]; ++i) {
      const Link& link = frame.epsilons[i];
      sorted.push_back(link);
      if (--incoming[link.to] == 0 && first[link.to + 1] > first[link.to]) queue_.push_back(link.to);
    }
  }
  if (sorted.size() != frame.epsilons.size()) {
    throw FormatError(graph_.path(), "arcs", "the graph loops in input epsilons");
  }
  frame.epsilons.swap(sorted);
}

std::vector<std::int32_t> WfstSearch::best_words() const {
  const std::vector<Token>& tokens = frames_.back().tokens;
  if (tokens.empty()) return {};
  const auto best =
      std::min_element(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) { return a.cost < b.cost; });
  std::vector<std::int32_t> words;
  for (std::uint32_t h = best->history; h != kNoHistory; h = histories_[h].previous)
    words.push_back(histories_[h].word);
  std::reverse(words.begin(), words.end());
  return words;
}

void WfstSearch::throw_bad_label(const FstArc& arc, int classes) const {
  throw FormatError(graph_.path(), "arcs", fmt::format("input label {}", arc.input),
                    fmt::format("0 to {} (epsilon and the classes)", classes));
}

}  // namespace brainquant
