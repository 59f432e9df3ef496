// The search against kaldi-decoder on graphs built as the public ones, and against all paths of graphs small enough to
// list.
#include "language_model/wfst_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "io/scratch_folder.h"
#include "language_model/fst_writer.h"
#include "language_model/wfst_case.h"

namespace brainquant {
namespace {

using test::TinyArc;
using test::TinyState;
using test::WfstCase;

constexpr int kCases = 12;

class WfstKaldi : public testing::TestWithParam<int> {};

TEST_P(WfstKaldi, BestPathHasKaldisCostAndWords) {
  const WfstCase fixture("case" + std::to_string(GetParam()));
  const auto graph = std::make_shared<const WfstGraph>(fixture.folder);
  const auto candidates = test::decode_all(graph, fixture.wide(), fixture.logits);
  ASSERT_FALSE(candidates.empty());
  ASSERT_EQ(fixture.expected.size(), 2U);
  for (const WfstCase::Expected& expected : fixture.expected) {
    SCOPED_TRACE(expected.decoder);
    EXPECT_EQ(candidates[0].sentence, expected.sentence);
    EXPECT_NEAR(-candidates[0].total, expected.graph + expected.acoustic, 1e-3);
    EXPECT_NEAR(-candidates[0].ngram, expected.graph, 1e-3);
    EXPECT_NEAR(-candidates[0].acoustic * fixture.options.acoustic_scale, expected.acoustic, 1e-3);
  }
}

TEST_P(WfstKaldi, ListIsDistinctSortedAndWithinTheLatticeBeam) {
  const WfstCase fixture("case" + std::to_string(GetParam()));
  const auto graph = std::make_shared<const WfstGraph>(fixture.folder);
  const auto candidates = test::decode_all(graph, fixture.options, fixture.logits);
  ASSERT_FALSE(candidates.empty());
  std::set<std::string> seen;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    EXPECT_TRUE(seen.insert(candidates[i].sentence).second) << candidates[i].sentence;
    EXPECT_LE(candidates[i].total, candidates[i > 0 ? i - 1 : 0].total);
    EXPECT_GE(candidates[i].total, candidates[0].total - fixture.options.lattice_beam - 1e-3);
    EXPECT_EQ(candidates[i].llm, 0.0);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, WfstKaldi, testing::Range(0, kCases));

/// All word sequences of a graph and the least costs of their paths through `frames` ([frames][classes], costs), by
/// listing every path.
class AllPaths {
 public:
  AllPaths(const std::vector<TinyState>& states, const std::vector<std::vector<float>>& frames, float length_penalty)
      : states_(states), frames_(frames), length_penalty_(length_penalty) {
    std::vector<int> words;
    walk(0, 0, 0.0, words, true);
    if (best_.empty()) walk(0, 0, 0.0, words, false);
  }
  const std::map<std::vector<int>, double>& best() const { return best_; }

 private:
  void walk(int state, std::size_t frame, double cost, std::vector<int>& words, bool finals) {
    const TinyState& from = states_[static_cast<std::size_t>(state)];
    const double final_cost = finals ? from.final_weight : 0.0;
    if (frame == frames_.size() && std::isfinite(final_cost)) {
      const auto [place, is_new] = best_.emplace(words, cost + final_cost);
      if (!is_new) place->second = std::min(place->second, cost + final_cost);
    }
    for (const TinyArc& arc : from.arcs) {
      if (arc.input != 0 && frame == frames_.size()) continue;
      const double moved = arc.input != 0 && arc.next != state ? length_penalty_ : 0.0;
      const double emitted = arc.input != 0 ? frames_[frame][static_cast<std::size_t>(arc.input - 1)] : 0.0;
      if (arc.output != 0) words.push_back(arc.output);
      walk(arc.next, frame + (arc.input != 0 ? 1 : 0), cost + arc.weight + moved + emitted, words, finals);
      if (arc.output != 0) words.pop_back();
    }
  }

  const std::vector<TinyState>& states_;
  const std::vector<std::vector<float>>& frames_;
  double length_penalty_;
  std::map<std::vector<int>, double> best_;
};

/// Few states, epsilons only to higher states (so no loops), words on some arcs, negative weights too.
std::vector<TinyState> random_graph(std::mt19937& random, bool with_finals) {
  const auto pick = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  const auto weight = [&] { return static_cast<float>(pick(400) - 100) / 100.0F; };
  std::vector<TinyState> states(static_cast<std::size_t>(3 + pick(4)));
  const int count = static_cast<int>(states.size());
  for (int s = 0; s < count; ++s) {
    auto& state = states[static_cast<std::size_t>(s)];
    if (with_finals && pick(2) == 0) state.final_weight = weight();
    for (int i = 1 + pick(2); i > 0; --i) state.arcs.push_back({1 + pick(3), pick(4), weight(), pick(count)});
    if (s + 1 < count && pick(2) == 0) state.arcs.push_back({0, pick(3), weight(), s + 1 + pick(count - s - 1)});
  }
  return states;
}

TEST(WfstSearch, ListsExactlyTheSentencesOfAllPaths) {
  const ScratchFolder folder;
  std::mt19937 random(5);
  std::size_t with_several = 0;
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const auto states = random_graph(random, round % 4 != 0);
    std::vector<std::vector<float>> frames(1 + random() % 6, std::vector<float>(3));
    for (auto& frame : frames) {
      for (float& cost : frame) cost = static_cast<float>(random() % 300) / 100.0F;
    }
    WfstOptions options;
    options.beam = 500.0F;
    options.lattice_beam = 3.0F + static_cast<float>(random() % 5);
    options.length_penalty = round % 3 == 0 ? 0.25F : 0.0F;
    const AllPaths all(states, frames, options.length_penalty);

    write_bytes(folder / "G.fst", test::vector_fst(states));
    const FstFile graph(folder / "G.fst");
    graph.check({});
    WfstSearch search(graph, options);
    for (const auto& frame : frames) search.push(frame.data(), 3);
    const auto found = best_word_sequences(search.finish(), 10000, options.lattice_beam);

    double best = INFINITY;
    for (const auto& [words, cost] : all.best()) best = std::min(best, cost);
    // Costs are sums of float32: within this of the beam's edge either answer is right.
    const double edge = 1e-3;
    std::map<std::vector<int>, double> listed;
    for (const WordSequence& sequence : found) listed.emplace(sequence.words, sequence.total());
    ASSERT_EQ(listed.size(), found.size());
    for (const auto& [words, cost] : all.best()) {
      ASSERT_TRUE(cost > best + options.lattice_beam - edge || listed.count(words)) << cost - best;
    }
    for (const auto& [words, cost] : listed) {
      ASSERT_TRUE(all.best().count(words));
      EXPECT_NEAR(cost, all.best().at(words), edge);
      EXPECT_LE(cost, best + options.lattice_beam + edge);
    }
    with_several += found.size() > 2 ? 1 : 0;
  }
  EXPECT_GT(with_several, 100U);
}

TEST(WfstSearch, PruningTheLatticeAsItGoesChangesNothing) {
  // More frames than lie between two prunings: the list must still be that of all paths.
  const ScratchFolder folder;
  // One state, two words on arcs of different classes, so every sentence of a given length has one path.
  const std::vector<TinyState> states = {{0.0F, {{1, 1, 0.0F, 0}, {2, 2, 0.5F, 0}}}};
  write_bytes(folder / "G.fst", test::vector_fst(states));
  const FstFile graph(folder / "G.fst");
  WfstOptions options;
  options.lattice_beam = 1.25F;
  WfstSearch search(graph, options);
  constexpr int kFrames = 120;
  const std::vector<float> frame = {1.0F, 1.0F, 9.0F};
  for (int t = 0; t < kFrames; ++t) search.push(frame.data(), 3);
  // Cost above the best: 0.5 for each word 2, so none, one or two of them anywhere.
  const std::size_t expected = 1 + 120 + 120 * 119 / 2;
  const auto found = best_word_sequences(search.finish(), 10000, options.lattice_beam);
  EXPECT_EQ(found.size(), expected);
}

TEST(WfstSearch, KeepsAtMostMaxActiveAndAtLeastMinActive) {
  // A comb: class 1 leads from the start to one of ten states of rising cost, each of which says its own word at the
  // next frame. Which words are left shows which states went on.
  const ScratchFolder folder;
  std::vector<TinyState> states(12);
  for (int i = 0; i < 10; ++i) {
    states[0].arcs.push_back({1, 0, static_cast<float>(i), i + 1});
    states[static_cast<std::size_t>(i + 1)].arcs.push_back({1, i + 1, 0.0F, 11});
  }
  states[11] = {0.0F, {{1, 0, 0.0F, 11}}};
  write_bytes(folder / "G.fst", test::vector_fst(states));
  const FstFile graph(folder / "G.fst");
  const auto words_left = [&](float beam, int max_active, int min_active) {
    WfstOptions options;
    options.beam = beam;
    options.max_active = max_active;
    options.min_active = min_active;
    options.lattice_beam = 100.0F;
    WfstSearch search(graph, options);
    const std::vector<float> frame = {1.0F};
    search.push(frame.data(), 1);
    search.push(frame.data(), 1);
    return best_word_sequences(search.finish(), 100, options.lattice_beam).size();
  };
  EXPECT_EQ(words_left(100.0F, 1000, 0), 10U);
  EXPECT_EQ(words_left(3.5F, 1000, 0), 4U);
  // The token at the limit still goes on, as in Kaldi's decoder.
  EXPECT_EQ(words_left(100.0F, 2, 0), 3U);
  // A frame of no more than min_active tokens is not thinned at all, a larger one keeps the token at the limit.
  EXPECT_EQ(words_left(3.5F, 1000, 6), 7U);
}

TEST(WfstSearch, ADeadEndGivesNoSentence) {
  const ScratchFolder folder;
  write_bytes(folder / "G.fst", test::vector_fst({{test::kNotFinal, {{1, 1, 0.0F, 1}}}, {0.0F, {}}}));
  const FstFile graph(folder / "G.fst");
  WfstSearch search(graph, WfstOptions{});
  const std::vector<float> frame = {1.0F};
  for (int t = 0; t < 60; ++t) search.push(frame.data(), 1);
  EXPECT_TRUE(search.best_words().empty());
  EXPECT_TRUE(best_word_sequences(search.finish(), 10, 8.0).empty());
}

}  // namespace
}  // namespace brainquant
