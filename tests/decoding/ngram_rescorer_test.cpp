// Sentence scores against the definition of back-off and against composition in kaldifst, and rescoring worked by hand.
#include "brainquant/decoding/ngram_rescorer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "brainquant/decoding/wfst_language_model.h"
#include "brainquant/support/error.h"
#include "decoding/fst_writer.h"
#include "decoding/wfst_case.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

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
  const auto scorer = open_sentence_scorer(fixture.folder / name, words);
  const auto sentences = scored_sentences(fixture.folder);
  ASSERT_EQ(sentences.size(), 32U);
  for (const Scored& sentence : sentences) {
    const auto score = scorer->log_probability(sentence.words);
    ASSERT_TRUE(score.has_value());
    EXPECT_NEAR(*score, name == "G.fst" ? -sentence.grammar : sentence.arpa, 1e-3);
  }
  EXPECT_FALSE(scorer->log_probability({"unheard"}).has_value());
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
  const auto scorer = open_sentence_scorer(folder / "lm.arpa", words);
  const auto log10 = [&](const std::vector<std::string>& sentence) {
    return scorer->log_probability(sentence).value() / std::log(10.0);
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
      open_sentence_scorer(folder / "lm.arpa", words);
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
  EXPECT_THROW(open_sentence_scorer(folder / "missing.arpa", words), FileError);
}

/// A graph of two words with a grammar in which "go" costs 1 and "home" 2, and a list that prefers "go".
class Rescoring : public testing::Test {
 protected:
  Rescoring() {
    write_bytes(folder_ / "words.txt", "<eps> 0\ngo 1\nhome 2\n#0 3\n");
    write_bytes(folder_ / "TLG.fst", test::vector_fst({{0.0F, {{1, 1, 1.0F, 0}, {2, 2, 2.0F, 0}}}}));
    write_bytes(folder_ / "new.arpa", "\\data\\\nngram 1=3\n\\1-grams:\n-1\t</s>\n-2\tgo\n-0.5\thome\n\\end\\\n");
  }
  std::vector<SentenceCandidate> list() const { return {{"go", -10, -1, 0, -6}, {"home", -11, -2, 0, -7.5}}; }
  ScratchFolder folder_;
};

TEST_F(Rescoring, TakesTheOldScoreOffAndAddsTheNew) {
  write_bytes(folder_ / "G.fst", test::vector_fst({{0.25F, {{1, 1, 1.0F, 0}, {2, 2, 2.0F, 0}}}}));
  const WfstGraph graph(folder_.path());
  const auto rescored = NgramRescorer(graph, folder_ / "new.arpa").rescore(list(), 0.5);
  ASSERT_EQ(rescored.size(), 2U);
  const double ln10 = std::log(10.0);
  EXPECT_EQ(rescored[0].sentence, "home");
  EXPECT_NEAR(rescored[0].ngram, -2 + 2.25 - 1.5 * ln10, 1e-6);
  EXPECT_NEAR(rescored[0].total, 0.5 * -11 + rescored[0].ngram, 1e-9);
  EXPECT_NEAR(rescored[1].ngram, -1 + 1.25 - 3 * ln10, 1e-6);
  EXPECT_EQ(rescored[0].acoustic, -11);
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
  write_bytes(folder_ / "G.fst", test::vector_fst({{0.25F, {{1, 1, 1.0F, 0}, {2, 2, 2.0F, 0}}}}));
  write_bytes(folder_ / "new.arpa", "\\data\\\nngram 1=2\n\\1-grams:\n-1\t</s>\n-2\tgo\n\\end\\\n");
  const WfstGraph graph(folder_.path());
  const NgramRescorer rescorer(graph, folder_ / "new.arpa");
  const auto rescored = rescorer.rescore(list(), 0.5);
  ASSERT_EQ(rescored.size(), 1U);
  EXPECT_EQ(rescored[0].sentence, "go");
  const auto kept = rescorer.rescore({{"home", -11, -2, 0, -7.5}}, 0.5);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].total, -7.5);
  EXPECT_TRUE(rescorer.rescore({}, 0.5).empty());
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
  EXPECT_THROW(rescorer.rescore(list(), 0.5), FormatError);
}

}  // namespace
}  // namespace brainquant
