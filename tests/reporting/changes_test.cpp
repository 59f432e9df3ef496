// What changes between two evaluations of four trials, by hand. Three classes: BLANK, AA and AE.
#include "brainquant/experiment/changes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "brainquant/reporting/comparison_report.h"
#include "brainquant/support/error.h"
#include "experiment/find_changes.h"
#include "io/scratch_folder.h"
#include "reporting/small_logits.h"

namespace brainquant {
namespace {

struct Text {
  std::string true_phonemes;
  std::string true_sentence;
  std::string sentence;
};

MethodOutcome outcome(const std::string& name, const std::filesystem::path& logits, const std::vector<Text>& texts) {
  MethodOutcome result;
  result.name = name;
  result.succeeded = true;
  result.logits = logits;
  result.evaluation.model.method = name;
  result.evaluation.language_model = "wfst:lm";
  result.evaluation.per = GroupedErrorRate{};
  for (const Text& text : texts) {
    TrialScore trial;
    trial.label = "s/trial_" + std::to_string(result.evaluation.trials.size());
    trial.true_phonemes = text.true_phonemes;
    trial.true_length = static_cast<std::int64_t>(words_of(text.true_phonemes).size());
    trial.true_sentence = text.true_sentence;
    trial.sentence = text.sentence;
    trial.sentence_margin = 1.5;
    result.evaluation.trials.push_back(trial);
  }
  return result;
}

class ChangesTest : public ::testing::Test {
 protected:
  ChangesTest() {
    // Classes: AA BLANK AE; BLANK AA; AE; none.
    testing::write_logits(scratch_ / "a.h5", {{0, 5, 1, 6, 2, 1, 0, 1, 4}, {3, 2.5, 0, 0, 4, 2}, {0, 0, 1}, {}}, 3);
    // Classes: AA BLANK AA, which is one AA when the blank is dropped; AA AE; AE; none.
    testing::write_logits(scratch_ / "b.h5", {{0, 5, 1, 6, 2, 1, 0, 4, 1}, {2, 3, 0, 0, 1, 2}, {0, 0, 2}, {}}, 3);
    baseline_ =
        outcome("fp32", scratch_ / "a.h5",
                {{"AA AE", "The cat.", "the cat"}, {"AA AE", "a b", "a"}, {"AE", "yes", "yes"}, {"", "No", "no"}});
    method_ =
        outcome("m", scratch_ / "b.h5",
                {{"AA AE", "The cat.", "The cap"}, {"AA AE", "a b", "a"}, {"AE", "yes", "Yes!"}, {"", "No", "no no"}});
  }

  const ScratchFolder scratch_;
  MethodOutcome baseline_, method_;
};

TEST_F(ChangesTest, AreTheHandWorkedOnes) {
  const auto found = find_changes(baseline_, method_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->trials, 4);
  EXPECT_EQ(found->words_differ, 2);
  EXPECT_EQ(found->phonemes_differ, 2);
  ASSERT_EQ(found->words.size(), 3U);
  EXPECT_EQ(found->words.at("cat").lost.added, 1);
  EXPECT_EQ(found->words.at("cat").gained.count, 0);
  EXPECT_EQ(found->words.at("cap").gained.added, 1);
  EXPECT_EQ(found->words.at("no").gained.added, 1);
  ASSERT_EQ(found->phonemes.size(), 2U);
  const ChangeCounts deleted = found->phonemes.at({"AE", ""});
  EXPECT_EQ(deleted.count, 1);
  EXPECT_EQ(deleted.added, 1);
  const ChangeCounts inserted = found->phonemes.at({"", "AE"});
  EXPECT_EQ(inserted.count, 1);
  EXPECT_EQ(inserted.removed, 1);
  EXPECT_EQ(inserted.added, 0);

  ASSERT_EQ(found->listed.size(), 3U);  // by changed words, then phonemes
  EXPECT_EQ(found->listed[0].label, "s/trial_0");
  EXPECT_EQ(found->listed[1].label, "s/trial_3");
  EXPECT_EQ(found->listed[2].label, "s/trial_1");
  EXPECT_EQ(found->listed[0].true_sentence, "the cat");
  EXPECT_FALSE(found->listed[1].widest_flip.has_value());
  // Of two flips, by 0.5 and by 2, the wider one; from the definition of log-softmax.
  const FlippedStep& flip = found->listed[2].widest_flip.value();
  EXPECT_EQ(flip.step, 1);
  EXPECT_EQ(flip.before, "AA");
  EXPECT_EQ(flip.after, "AE");
  const double sum = std::exp(0.0) + std::exp(4.0) + std::exp(2.0);
  EXPECT_NEAR(flip.margin, std::log(std::exp(4.0) / sum) - std::log(std::exp(2.0) / sum), 1e-12);
}

TEST_F(ChangesTest, WithoutTruthOrWordsLessIsKnown) {
  for (MethodOutcome* one : {&baseline_, &method_}) {
    one->evaluation.per.reset();
    one->evaluation.language_model.clear();
    for (TrialScore& trial : one->evaluation.trials) {
      trial.true_phonemes = trial.true_sentence = "";
      trial.true_length = 0;
      trial.sentence.reset();
      trial.sentence_margin.reset();
    }
  }
  const auto found = find_changes(baseline_, method_);
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->words_differ.has_value());
  EXPECT_TRUE(found->words.empty());
  EXPECT_EQ(found->phonemes_differ, 2);
  EXPECT_EQ(found->phonemes.at({"AE", ""}).added, 0);
  Comparison comparison;
  comparison.methods = {{baseline_, {}, {}, {}}, {method_, {}, {}, {}, found}};
  const nlohmann::json changes = nlohmann::json::parse(comparison_json(comparison))["methods"][1]["changes"];
  EXPECT_TRUE(changes["words_differ"].is_null());
  EXPECT_TRUE(changes["phonemes"][0]["added"].is_null());
  EXPECT_TRUE(changes["listed"][0]["phonemes"][0]["effect"].is_null());
  EXPECT_NE(comparison_text(comparison).find("m: the phonemes of 2 of 4 sentences differ from fp32's; most often"),
            std::string::npos);
}

TEST_F(ChangesTest, ResultsWithoutTextsAreNotGuessedAt) {
  method_.evaluation.trials[2].true_phonemes.clear();
  EXPECT_FALSE(find_changes(baseline_, method_).has_value());
  method_.evaluation.trials[2].true_phonemes = "AE";
  baseline_.evaluation.trials[1].sentence.reset();
  EXPECT_FALSE(find_changes(baseline_, method_).has_value());
}

TEST_F(ChangesTest, LogitsOfAnotherShapeAreRefused) {
  testing::write_logits(scratch_ / "b.h5", {{0, 5, 1}, {0, 5, 1}, {0, 0, 2}, {}}, 3);
  EXPECT_THROW(find_changes(baseline_, method_), FormatError);
}

TEST_F(ChangesTest, CountsAreOfAllTrialsHoweverManyAreListed) {
  const std::size_t trials = kMostListedTrials + 5;
  testing::write_logits(scratch_ / "many.h5", std::vector<std::vector<float>>(trials), 3);
  const std::vector<Text> before(trials, {"", "a", "a"});
  std::vector<Text> after(trials, {"", "a", "b"});
  after.back().sentence = "b c";
  const auto found =
      find_changes(outcome("fp32", scratch_ / "many.h5", before), outcome("m", scratch_ / "many.h5", after));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->listed.size(), kMostListedTrials);
  EXPECT_EQ(found->listed[0].label, "s/trial_204");
  EXPECT_EQ(found->words_differ, 205);
  EXPECT_EQ(found->words.at("b").gained.count, 205);
}

TEST_F(ChangesTest, EveryRenderingHasThem) {
  MethodOutcome failed;
  failed.name = "f";
  Comparison comparison;
  comparison.methods = {
      {baseline_, {}, {}, {}}, {method_, {}, {}, {}, find_changes(baseline_, method_)}, {failed, {}, {}, {}}};
  const std::string line =
      "m: 2 of 4 sentences differ from fp32's, the phonemes of 2; most often - > AE (1), AE > - (1)";
  EXPECT_NE(comparison_text(comparison).find("\n" + line + "\n"), std::string::npos) << comparison_text(comparison);
  EXPECT_NE(comparison_markdown(comparison).find("\n- " + line + "\n"), std::string::npos);
  const std::string markdown = comparison_changes_markdown(comparison);
  EXPECT_EQ(markdown.substr(markdown.find("\n## m")), "\n## m\n\n" + line +
                                                          "\n\n"
                                                          "| word | lost | gained | errors added | errors removed |\n"
                                                          "| :--- | ---: | -----: | -----------: | -------------: |\n"
                                                          "| cap  |    0 |      1 |            1 |              0 |\n"
                                                          "| cat  |    1 |      0 |            1 |              0 |\n"
                                                          "| no   |    0 |      1 |            1 |              0 |\n"
                                                          "\n"
                                                          "| fp32 | method | times | errors added | errors removed |\n"
                                                          "| :--- | :----- | ----: | -----------: | -------------: |\n"
                                                          "| -    | AE     |     1 |            0 |              1 |\n"
                                                          "| AE   | -      |     1 |            1 |              0 |\n"
                                                          "\n```\n"
                                                          "s/trial_0\n"
                                                          "  true: the cat\n"
                                                          "  fp32 the CAT\n"
                                                          "  m    the CAP\n"
                                                          "  phonemes AE > - (error added)\n"
                                                          "  at step 2 AE > AA, fp32's margin 3.000 nats\n"
                                                          "  fp32's sentence scored 1.500 above its second one\n"
                                                          "s/trial_3\n"
                                                          "  true: no\n"
                                                          "  fp32 ** no\n"
                                                          "  m    NO no\n"
                                                          "  fp32's sentence scored 1.500 above its second one\n"
                                                          "s/trial_1\n"
                                                          "  true: a b\n"
                                                          "  the same words\n"
                                                          "  phonemes - > AE (error removed)\n"
                                                          "  at step 1 AA > AE, fp32's margin 2.000 nats\n"
                                                          "```\n"
                                                          "\n## f\n\nfailed\n");
  const nlohmann::json json = nlohmann::json::parse(comparison_json(comparison));
  EXPECT_TRUE(json["methods"][0]["changes"].is_null());
  const nlohmann::json& changes = json["methods"][1]["changes"];
  EXPECT_EQ(changes["trials"], 4);
  EXPECT_EQ(changes["words_differ"], 2);
  EXPECT_EQ(changes["words"][1],
            nlohmann::json::parse(R"({"word": "cat", "lost": 1, "gained": 0, "added": 1, "removed": 0})"));
  EXPECT_EQ(changes["phonemes"][0],
            nlohmann::json::parse(R"({"fp32": null, "method": "AE", "count": 1, "added": 0, "removed": 1})"));
  EXPECT_EQ(changes["listed"][0], nlohmann::json::parse(R"({
    "label": "s/trial_0", "true_sentence": "the cat",
    "words": [{"kind": "equal", "fp32": "the", "method": "the", "effect": "none"},
              {"kind": "substituted", "fp32": "cat", "method": "cap", "effect": "added"}],
    "phonemes": [{"kind": "deleted", "fp32": "AE", "method": null, "effect": "added"}],
    "widest_flip": {"step": 2, "fp32": "AE", "method": "AA", "margin": 3.0}, "sentence_margin": 1.5})"));
  EXPECT_TRUE(changes["listed"][1]["widest_flip"].is_null());
}

}  // namespace
}  // namespace brainquant
