// The part of WfstSearch that keeps the lattice small and hands it out.
#include <algorithm>
#include <cmath>
#include <limits>

#include "language_model/wfst_search.h"

namespace brainquant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::uint32_t kDropped = std::numeric_limits<std::uint32_t>::max();

}  // namespace

float WfstSearch::link_cost(const Frame& frame, const Link& link) const {
  const float base = frame.tokens[link.from].cost + link.graph;
  return link.input == 0 ? base : base - frame.offset + frame.costs[static_cast<std::size_t>(link.input)];
}

bool WfstSearch::prune_frame(std::size_t index) {
  Frame& frame = frames_[index];
  const bool last = index + 1 == frames_.size();
  std::vector<float> extra(frame.tokens.size(), kInfinity);
  if (last) {
    extra = final_extra_;
  } else {
    const std::vector<Token>& next = frames_[index + 1].tokens;
    std::erase_if(frame.emitting, [&](const Link& link) {
      const float cost = next[link.to].extra + std::max(link_cost(frame, link) - next[link.to].cost, 0.0F);
      if (!(cost <= options_.lattice_beam)) return true;
      extra[link.from] = std::min(extra[link.from], cost);
      return false;
    });
  }

  // Sources in reverse topological order: a link's target is settled before the link is looked at.
  std::size_t kept = frame.epsilons.size();
  for (std::size_t i = frame.epsilons.size(); i-- > 0;) {
    const Link link = frame.epsilons[i];
    const float cost = extra[link.to] + std::max(link_cost(frame, link) - frame.tokens[link.to].cost, 0.0F);
    if (!(cost <= options_.lattice_beam)) continue;
    extra[link.from] = std::min(extra[link.from], cost);
    frame.epsilons[--kept] = link;
  }
  frame.epsilons.erase(frame.epsilons.begin(), frame.epsilons.begin() + static_cast<std::ptrdiff_t>(kept));

  bool changed = false;
  for (std::size_t t = 0; t < extra.size(); ++t) {
    changed = changed || frame.tokens[t].extra != extra[t];
    frame.tokens[t].extra = extra[t];
  }
  return changed;
}

void WfstSearch::prune_lattice() {
  // Any of the newest tokens may turn out to be on the best path.
  std::size_t first_changed = frames_.size() - 1;
  while (first_changed > 0) {
    const bool changed = prune_frame(--first_changed);
    if (!changed && first_changed < pruned_frames_) break;
  }
  pruned_frames_ = frames_.size() - 1;
  drop_dead_tokens(frames_.size() - 1);
}

void WfstSearch::drop_dead_tokens(std::size_t last) {
  std::vector<std::uint32_t> place;
  for (std::size_t f = 0; f < last; ++f) {
    Frame& frame = frames_[f];
    const auto dead = [](const Token& token) { return token.extra == kInfinity; };
    if (std::none_of(frame.tokens.begin(), frame.tokens.end(), dead)) continue;
    place.assign(frame.tokens.size(), kDropped);
    std::uint32_t alive = 0;
    for (std::size_t t = 0; t < frame.tokens.size(); ++t) {
      if (!dead(frame.tokens[t])) place[t] = alive++;
    }
    std::erase_if(frame.tokens, dead);
    frame.tokens.shrink_to_fit();
    for (Link& link : frame.epsilons) link = {place[link.from], place[link.to], link.word, link.input, link.graph};
    for (Link& link : frame.emitting) link.from = place[link.from];
    frame.emitting.shrink_to_fit();
    frame.epsilons.shrink_to_fit();
    if (f == 0) continue;
    for (Link& link : frames_[f - 1].emitting) link.to = place[link.to];
  }
}

WordLattice WfstSearch::finish() {
  const std::vector<Token>& tokens = frames_.back().tokens;
  final_extra_.assign(tokens.size(), kInfinity);
  float best = kInfinity;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    final_extra_[t] = tokens[t].cost + graph_.state(tokens[t].state).final_weight;
    best = std::min(best, final_extra_[t]);
  }
  if (best == kInfinity) {
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      final_extra_[t] = tokens[t].cost;
      best = std::min(best, final_extra_[t]);
    }
  }
  for (float& extra : final_extra_) {
    extra -= best;
    if (!(extra <= options_.lattice_beam)) extra = kInfinity;
  }
  for (std::size_t f = frames_.size(); f-- > 0;) prune_frame(f);
  // The last frame's tokens go too: nothing follows them any more.
  drop_dead_tokens(frames_.size());
  return build_lattice();
}

WordLattice WfstSearch::build_lattice() const {
  WordLattice lattice;
  if (frames_.back().tokens.empty() || frames_.front().tokens.empty()) return lattice;

  // Within a frame the sources of epsilon links come first, in their topological order, then all other tokens.
  std::vector<std::vector<std::uint32_t>> node(frames_.size());
  std::uint32_t nodes = 0;
  std::size_t links = 0;
  for (std::size_t f = 0; f < frames_.size(); ++f) {
    const Frame& frame = frames_[f];
    node[f].assign(frame.tokens.size(), kDropped);
    for (const Link& link : frame.epsilons) {
      if (node[f][link.from] == kDropped) node[f][link.from] = nodes++;
    }
    for (std::uint32_t& n : node[f]) {
      if (n == kDropped) n = nodes++;
    }
    links += frame.epsilons.size() + frame.emitting.size();
  }

  lattice.first_arc.assign(nodes + 1, 0);
  const auto for_each_link = [&](const auto& visit) {
    for (std::size_t f = 0; f < frames_.size(); ++f) {
      for (const Link& link : frames_[f].epsilons) visit(f, link, node[f][link.from], node[f][link.to]);
      for (const Link& link : frames_[f].emitting) visit(f, link, node[f][link.from], node[f + 1][link.to]);
    }
  };
  for_each_link([&](std::size_t, const Link&, std::uint32_t from, std::uint32_t) { ++lattice.first_arc[from + 1]; });
  for (std::size_t n = 0; n < nodes; ++n) lattice.first_arc[n + 1] += lattice.first_arc[n];
  lattice.arcs.resize(links);
  std::vector<std::uint32_t> place(lattice.first_arc.begin(), lattice.first_arc.end() - 1);
  for_each_link([&](std::size_t f, const Link& link, std::uint32_t from, std::uint32_t to) {
    const float acoustic = link.input == 0 ? 0.0F : frames_[f].costs[static_cast<std::size_t>(link.input)];
    lattice.arcs[place[from]++] = {to, link.word, link.graph, acoustic};
  });

  lattice.final_cost.assign(nodes, WordLattice::kNotFinal);
  const std::vector<Token>& last = frames_.back().tokens;
  bool ends = false;
  for (std::size_t t = 0; t < last.size(); ++t) {
    const float weight = graph_.state(last[t].state).final_weight;
    lattice.final_cost[node.back()[t]] = weight;
    ends = ends || std::isfinite(weight);
  }
  if (!ends) {
    for (const std::uint32_t n : node.back()) lattice.final_cost[n] = 0.0;
  }
  return lattice;
}

}  // namespace brainquant
