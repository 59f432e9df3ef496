// Sentence scores against the definition of back-off and against composition in kaldifst; rescoring worked by hand and
// against every path of small lattices.
#include "language_model/ngram_rescorer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <utility>

#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "language_model/fst_writer.h"
#include "language_model/wfst_case.h"
#include "language_model/word_table.h"

namespace brainquant {
namespace {

/// Natural logarithm of the sentence's probability, its end included; nothing if the model can't say it.
std::optional<double> log_probability(const NgramModel& model, const std::vector<std::string>& words) {
  const std::unique_ptr<WordAutomaton> automaton = model.automaton();
  std::uint32_t state = WordAutomaton::kStart;
  double cost = 0;
  for (const std::string& word : words) {
    const auto said = automaton->say(state, word);
    if (!said) return std::nullopt;
    state = said->next;
    cost += said->cost;
  }
  const auto end = automaton->end_cost(state);
  return end ? std::optional(-(cost + *end)) : std::nullopt;
}

struct Scored {
  double arpa = 0;
  double grammar = 0;
  std::vector<std::string> words;
};

std::vector<Scored> scored_sentences(const std::filesystem::path& folder) {
  std::vector<Scored> sentences;
  std::ifstream file(folder / "scores.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    Scored sentence;
    fields >> sentence.arpa >> sentence.grammar;
    for (std::string word; fields >> word;) sentence.words.push_back(word);
    sentences.push_back(sentence);
  }
  return sentences;
}

class ScoresOf : public testing::TestWithParam<const char*> {};

TEST_P(ScoresOf, AreTheDefinitions) {
  const test::WfstCase fixture("case5");
  const WordTable words(fixture.folder / "words.txt");
  const std::string name = GetParam();
  const auto model = open_ngram_model(fixture.folder / name, words);
  const auto sentences = scored_sentences(fixture.folder);
  ASSERT_EQ(sentences.size(), 32U);
  for (const Scored& sentence : sentences) {
    const auto score = log_probability(*model, sentence.words);
    ASSERT_TRUE(score.has_value());
    EXPECT_NEAR(*score, name == "G.fst" ? -sentence.grammar : sentence.arpa, 1e-3);
  }
  EXPECT_FALSE(log_probability(*model, {"unheard"}).has_value());
}

INSTANTIATE_TEST_SUITE_P(Models, ScoresOf, testing::Values("lm.arpa", "lm.arpa.gz", "G.fst"));

constexpr const char* kTrigram =
    "\\data\\\nngram 1=5\nngram 2=3\nngram 3=1\n\n"
    "\\1-grams:\n-1.0\t<unk>\n-99\t<s>\t-0.5\n-0.8\t</s>\n-0.6\tgo\t-0.25\n-0.9\thome\t-0.125\n\n"
    "\\2-grams:\n-0.3\t<s> go\t-0.0625\n-0.4\tgo home\t-0.03125\n-0.7\thome </s>\n\n"
    "\\3-grams:\n-0.1\t<s> go home\n\n\\end\\\n";

TEST(ArpaModel, BacksOffOrderByOrder) {
  const ScratchFolder folder;
  write_bytes(folder / "words.txt", "<eps> 0\n");
  write_bytes(folder / "lm.arpa", kTrigram);
  const WordTable words(folder / "words.txt");
  const auto model = open_ngram_model(folder / "lm.arpa", words);
  const auto log10 = [&](const std::vector<std::string>& sentence) {
    return log_probability(*model, sentence).value() / std::log(10.0);
  };
  // go | <s>; home | <s> go; </s> | go home: bo(go home) + the 2-gram.
  EXPECT_NEAR(log10({"go", "home"}), -0.3 - 0.1 + (-0.03125 - 0.7), 1e-6);
  // home | <s>: bo(<s>) + 1-gram; go | <s> home: bo(home) + 1-gram; </s> | home go: bo(go) + 1-gram.
  EXPECT_NEAR(log10({"home", "go"}), (-0.5 - 0.9) + (-0.125 - 0.6) + (-0.25 - 0.8), 1e-6);
  // Letters' case is ignored only where a word is not listed; other words are <unk>.
  EXPECT_NEAR(log10({"GO"}), log10({"go"}), 1e-9);
  EXPECT_NEAR(log10({"west"}), (-0.5 - 1.0) + -0.8, 1e-6);
  EXPECT_NEAR(log10({}), -0.5 - 0.8, 1e-6);
}

TEST(ArpaModel, RefusesDamage) {
  const ScratchFolder folder;
  write_bytes(folder / "words.txt", "<eps> 0\n");
  const WordTable words(folder / "words.txt");
  const auto refused = [&](const std::string& text, const char* what) {
    write_bytes(folder / "lm.arpa", text);
    try {
      open_ngram_model(folder / "lm.arpa", words);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const FormatError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("lm.arpa"), std::string::npos) << message;
      EXPECT_NE(message.find(what), std::string::npos) << message;
    }
  };
  const std::string whole = kTrigram;
  for (std::size_t size = 0; size + 2 < whole.size(); size += 5) refused(whole.substr(0, size), "");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    return text.replace(text.find(from), from.size(), to);
  };
  refused(with("-0.6\tgo", "x\tgo"), "line 10");
  refused(with("-0.4\tgo home", "-0.4\tgo west"), "\"west\" has no 1-gram");
  refused(with("\\3-grams:", "\\4-grams:"), "\\3-grams:");
  refused(with("</s>\n-0.6", "<end>\n-0.6"), "</s>");
  const std::string gzipped = bytes_of(test::WfstCase("case5").folder / "lm.arpa.gz");
  refused(gzipped.substr(0, gzipped.size() / 2), "");
  std::string flipped = gzipped;
  flipped[flipped.size() / 2] ^= 0x10;
  refused(flipped, "");
  EXPECT_THROW(open_ngram_model(folder / "missing.arpa", words), FileError);
}

using Arcs = std::vector<std::vector<WordLattice::Arc>>;

WordLattice lattice_of(const Arcs& arcs, const std::vector<double>& final_cost) {
  WordLattice lattice;
  for (const auto& from : arcs) {
    lattice.first_arc.push_back(static_cast<std::uint32_t>(lattice.arcs.size()));
    lattice.arcs.insert(lattice.arcs.end(), from.begin(), from.end());
  }
  lattice.first_arc.push_back(static_cast<std::uint32_t>(lattice.arcs.size()));
  lattice.final_cost = final_cost;
  return lattice;
}

/// A graph of two words with a grammar in which "go" costs 1 and "home" 2, and a lattice that prefers "go".
class Rescoring : public testing::Test {
 protected:
  Rescoring() {
    write_bytes(folder_ / "words.txt", "<eps> 0\ngo 1\nhome 2\n#0 3\n");
    write_bytes(folder_ / "TLG.fst", test::vector_fst({{0.0F, {{1, 1, 1.0F, 0}, {2, 2, 2.0F, 0}}}}));
    write_bytes(folder_ / "new.arpa", "\\data\\\nngram 1=3\n\\1-grams:\n-1\t</s>\n-2\tgo\n-0.5\thome\n\\end\\\n");
  }
  void write_grammar() const {
    write_bytes(folder_ / "G.fst", test::vector_fst({{0.25F, {{1, 1, 1.0F, 0}, {2, 2, 2.0F, 0}}}}));
  }
  static WordLattice two_words() {
    return lattice_of({{{1, 1, 1, 5}, {1, 2, 2, 5.5}}, {}}, {WordLattice::kNotFinal, 0.125});
  }
  /// One step in which the two words sound alike.
  static std::vector<SentenceCandidate> decode(WfstLanguageModel& model) {
    const std::vector<float> logits(kGraphClasses, 0.0F);
    return model.decode({logits.data(), 1, kGraphClasses}, RunContext());
  }
  ScratchFolder folder_;
};

TEST_F(Rescoring, TakesTheOldScoreOffAndAddsTheNew) {
  write_grammar();
  const WfstGraph graph(folder_.path());
  const auto found = best_word_sequences(NgramRescorer(graph, folder_ / "new.arpa").rescored(two_words(), 8), 10, 100);
  ASSERT_EQ(found.size(), 2U);
  const double ln10 = std::log(10.0);
  EXPECT_EQ(found[0].words, std::vector<std::int32_t>({2}));
  EXPECT_NEAR(found[0].graph, 2 + 0.125 - 2.25 + 1.5 * ln10, 1e-6);
  EXPECT_EQ(found[0].acoustic, 5.5);
  EXPECT_NEAR(found[1].graph, 1 + 0.125 - 1.25 + 3 * ln10, 1e-6);
  EXPECT_EQ(found[1].acoustic, 5);
}

TEST_F(Rescoring, BringsInASentenceThatTheListLeftOut) {
  write_grammar();
  WfstOptions options;
  options.nbest = 1;
  WfstLanguageModel plain(folder_.path(), options), rescoring(folder_.path(), options, folder_ / "new.arpa");
  const auto before = decode(plain), after = decode(rescoring);
  ASSERT_EQ(before.size(), 1U);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(before[0].sentence, "go");
  EXPECT_EQ(after[0].sentence, "home");
}

/// The definition of back-off, n-gram by n-gram.
struct SlowModel {
  struct Ngram {
    double probability = 0, backoff = 0;
  };
  using Words = std::vector<std::string>;
  std::map<Words, Ngram> ngrams;

  double log10_of(Words history, const std::string& word) const {
    if (history.size() > 2) history.erase(history.begin(), history.end() - 2);
    Words whole = history;
    whole.push_back(word);
    const auto listed = ngrams.find(whole);
    if (listed != ngrams.end()) return listed->second.probability;
    const auto known = ngrams.find(history);
    const double backoff = known == ngrams.end() ? 0 : known->second.backoff;
    return backoff + log10_of({history.begin() + 1, history.end()}, word);
  }
  double cost(Words words) const {
    words.emplace_back("</s>");
    Words history = {"<s>"};
    double log10 = 0;
    for (const std::string& word : words) {
      log10 += log10_of(history, word);
      history.push_back(word);
    }
    return -log10 * std::log(10.0);
  }
  std::string arpa() const {
    std::string text = "\\data\\\n";
    for (std::size_t n = 1; n <= 3; ++n) {
      text +=
          "ngram " + std::to_string(n) + "=" +
          std::to_string(std::count_if(ngrams.begin(), ngrams.end(), [&](auto& g) { return g.first.size() == n; })) +
          "\n";
    }
    for (std::size_t n = 1; n <= 3; ++n) {
      text += "\n\\" + std::to_string(n) + "-grams:\n";
      for (const auto& [words, ngram] : ngrams) {
        if (words.size() != n) continue;
        text += std::to_string(ngram.probability) + "\t";
        for (std::size_t i = 0; i < n; ++i) text += (i > 0 ? " " : "") + words[i];
        text += (n < 3 ? "\t" + std::to_string(ngram.backoff) : "") + "\n";
      }
    }
    return text + "\n\\end\\\n";
  }
};

/// All 1-grams, some 2-grams, and some 3-grams whose first two words are one of those.
SlowModel random_model(std::mt19937& random) {
  const auto tenths = [&](int from, int to) { return (from + static_cast<int>(random() % (to - from))) / 16.0; };
  const std::vector<std::string> words = {"a", "b", "c"};
  SlowModel model;
  for (const char* word : {"<s>", "</s>", "a", "b", "c"}) model.ngrams[{word}] = {tenths(-40, 0), tenths(-16, 8)};
  for (const std::string first : {"<s>", "a", "b", "c"}) {
    for (const std::string second : {"</s>", "a", "b", "c"}) {
      if (random() % 2 == 0) model.ngrams[{first, second}] = {tenths(-40, 0), tenths(-16, 8)};
    }
  }
  for (const std::string first : {"<s>", "a", "b", "c"}) {
    for (const std::string& second : words) {
      for (const std::string third : {"</s>", "a", "b", "c"}) {
        if (model.ngrams.count({first, second}) == 1 && random() % 3 == 0) {
          model.ngrams[{first, second, third}] = {tenths(-40, 0), 0};
        }
      }
    }
  }
  return model;
}

using Sentences = std::map<std::vector<std::int32_t>, double>;

/// The least total cost of each sentence, by following every path.
void walk(const WordLattice& lattice, std::uint32_t node, double cost, std::vector<std::int32_t>& words,
          Sentences& best) {
  if (std::isfinite(lattice.final_cost[node])) {
    const auto [place, is_new] = best.emplace(words, cost + lattice.final_cost[node]);
    if (!is_new) place->second = std::min(place->second, cost + lattice.final_cost[node]);
  }
  for (std::uint32_t a = lattice.first_arc[node]; a < lattice.first_arc[node + 1]; ++a) {
    const WordLattice::Arc& arc = lattice.arcs[a];
    if (arc.word != 0) words.push_back(arc.word);
    walk(lattice, arc.next, cost + arc.graph + arc.acoustic, words, best);
    if (arc.word != 0) words.pop_back();
  }
}

WordLattice random_lattice(std::mt19937& random) {
  const std::size_t count = 5 + random() % 4;
  Arcs arcs(count);
  std::vector<double> final_cost(count, WordLattice::kNotFinal);
  final_cost.back() = 0.5;
  for (std::size_t n = 0; n + 1 < count; ++n) {
    for (std::size_t i = 1 + random() % 3; i > 0; --i) {
      arcs[n].push_back({static_cast<std::uint32_t>(n + 1 + random() % (count - n - 1)),
                         static_cast<std::int32_t>(random() % 4), static_cast<double>(random() % 64) / 16,
                         static_cast<double>(random() % 64) / 16});
    }
    if (random() % 5 == 0) final_cost[n] = 1.0;
  }
  return lattice_of(arcs, final_cost);
}

TEST_F(Rescoring, ListsWhatEveryPathRescoredByItselfGives) {
  std::mt19937 random(7);
  std::size_t order_changed = 0;
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const SlowModel old_model = random_model(random), new_model = random_model(random);
    write_bytes(folder_ / "words.txt", "<eps> 0\na 1\nb 2\nc 3\n#0 4\n");
    write_bytes(folder_ / "lm.arpa", old_model.arpa());
    write_bytes(folder_ / "new.arpa", new_model.arpa());
    const WfstGraph graph(folder_.path());
    const NgramRescorer rescorer(graph, folder_ / "new.arpa");
    const WordLattice lattice = random_lattice(random);

    Sentences expected;
    std::vector<std::int32_t> none;
    walk(lattice, 0, 0, none, expected);
    double best_before = INFINITY, best = INFINITY;
    std::vector<std::int32_t> first_before, first;
    for (auto& [labels, cost] : expected) {
      if (cost < best_before) best_before = cost, first_before = labels;
      std::vector<std::string> words;
      for (const std::int32_t label : labels) words.emplace_back(1, static_cast<char>('a' + label - 1));
      cost += new_model.cost(words) - old_model.cost(words);
      if (cost < best) best = cost, first = labels;
    }
    order_changed += first != first_before ? 1 : 0;
    const double beam = 4;
    const auto found = best_word_sequences(rescorer.rescored(lattice, 8), 10000, beam);
    Sentences listed;
    for (const WordSequence& sequence : found) listed.emplace(sequence.words, sequence.total());
    ASSERT_EQ(listed.size(), found.size());
    for (const auto& [words, cost] : expected) ASSERT_TRUE(cost > best + beam - 1e-4 || listed.count(words) == 1);
    for (const auto& [words, cost] : listed) {
      ASSERT_EQ(expected.count(words), 1U);
      EXPECT_NEAR(cost, expected.at(words), 1e-4);  // an ARPA file's numbers are kept in fp32
    }
  }
  EXPECT_GT(order_changed, 20U);
}

// From the start: 1 + 1 by node 1, 0 + 3 by node 2, and an end after 0 + 5.
TEST(WordLattice, PruningKeepsThePathsWithinTheBeam) {
  const WordLattice lattice = lattice_of({{{1, 1, 1, 0}, {2, 2, 0, 0}}, {{3, 0, 0, 1}}, {{3, 0, 3, 0}}, {}},
                                         {WordLattice::kNotFinal, WordLattice::kNotFinal, 5, 0});
  const auto arcs_and_ends = [&](double beam) {
    const WordLattice kept = pruned(lattice, beam);
    EXPECT_EQ(kept.num_nodes(), lattice.num_nodes());
    std::size_t ends = 0;
    for (const double cost : kept.final_cost) ends += std::isfinite(cost) ? 1 : 0;
    return std::pair(kept.arcs.size(), ends);
  };
  EXPECT_EQ(arcs_and_ends(0.5), std::pair(std::size_t{2}, std::size_t{1}));
  EXPECT_EQ(arcs_and_ends(1.5), std::pair(std::size_t{4}, std::size_t{1}));
  EXPECT_EQ(arcs_and_ends(3.5), std::pair(std::size_t{4}, std::size_t{2}));
}

TEST_F(Rescoring, PrunesALatticeThatWouldGrowTooLarge) {
  write_grammar();
  const WfstGraph graph(folder_.path());
  const NgramRescorer rescorer(graph, folder_ / "new.arpa");
  // "go" is better by 1.5: two arcs fit, one arc leaves the better.
  EXPECT_EQ(best_word_sequences(rescorer.rescored(two_words(), 8, 2), 10, 100).size(), 2U);
  const auto one = best_word_sequences(rescorer.rescored(two_words(), 8, 1), 10, 100);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].words, std::vector<std::int32_t>({1}));
  EXPECT_NEAR(one[0].graph, 1 + 0.125 - 1.25 + 3 * std::log(10.0), 1e-6);
  EXPECT_TRUE(best_word_sequences(rescorer.rescored(two_words(), 8, 0), 10, 100).empty());
}

TEST_F(Rescoring, WithTheSameModelChangesNothing) {
  const test::WfstCase fixture("case5");
  WfstLanguageModel plain(fixture.folder, fixture.options);
  WfstLanguageModel same(fixture.folder, fixture.options, fixture.folder / "G.fst");
  const LogitsView logits{fixture.logits.data(), fixture.steps, kGraphClasses};
  const auto before = plain.decode(logits, RunContext());
  const auto after = same.decode(logits, RunContext());
  ASSERT_EQ(before.size(), after.size());
  ASSERT_GT(before.size(), 3U);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i].total, after[i].total, 1e-6);
}

TEST_F(Rescoring, LeavesOutWhatTheNewModelCannotSay) {
  write_grammar();
  const auto sentences_with = [&](const char* word) {
    write_bytes(folder_ / "new.arpa",
                std::string("\\data\\\nngram 1=2\n\\1-grams:\n-1\t</s>\n-2\t") + word + "\n\\end\\\n");
    WfstLanguageModel model(folder_.path(), WfstOptions(), folder_ / "new.arpa");
    return decode(model);
  };
  const auto rescored = sentences_with("home");
  ASSERT_EQ(rescored.size(), 1U);
  EXPECT_EQ(rescored[0].sentence, "home");
  // None can be said: the list is as it was.
  const auto kept = sentences_with("west");
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].sentence, "go");
  EXPECT_NEAR(kept[0].ngram, -1, 1e-6);
}

TEST_F(Rescoring, NeedsTheOldModel) {
  const WfstGraph graph(folder_.path());
  EXPECT_THROW(NgramRescorer(graph, folder_ / "new.arpa"), UsageError);
}

TEST_F(Rescoring, AGrammarThatLoopsInSilenceIsRefused) {
  // The second loop consumes "#0", which says nothing either: it is found when a sentence is scored.
  write_bytes(folder_ / "G.fst", test::vector_fst({{0.0F, {{0, 0, -1.0F, 0}}}}));
  const WfstGraph graph(folder_.path());
  EXPECT_THROW(NgramRescorer(graph, folder_ / "new.arpa"), FormatError);
  write_bytes(folder_ / "G.fst", test::vector_fst({{0.0F, {{3, 0, -1.0F, 0}, {1, 1, 0.0F, 0}}}}));
  const NgramRescorer rescorer(graph, folder_ / "new.arpa");
  EXPECT_THROW(rescorer.rescored(two_words(), 8), FormatError);
}

}  // namespace
}  // namespace brainquant
