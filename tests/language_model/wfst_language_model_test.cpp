// The way from logits to sentences around the search: blanks, partial results, threads, edge cases, options.
#include "brainquant/language_model/wfst_language_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"
#include "language_model/fst_writer.h"
#include "language_model/wfst_case.h"

namespace brainquant {
namespace {

using test::WfstCase;

void expect_identical(const std::vector<SentenceCandidate>& a, const std::vector<SentenceCandidate>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].sentence, b[i].sentence);
    EXPECT_EQ(a[i].acoustic, b[i].acoustic);
    EXPECT_EQ(a[i].ngram, b[i].ngram);
    EXPECT_EQ(a[i].total, b[i].total);
  }
}

LogitsView view_of(const WfstCase& fixture) { return {fixture.logits.data(), fixture.steps, kGraphClasses}; }

TEST(WfstLanguageModel, ManyThreadsGiveTheSameBits) {
  const WfstCase fixture("case8");
  WfstLanguageModel model(fixture.folder, fixture.options);
  const auto alone = model.decode(view_of(fixture), RunContext());
  ASSERT_GT(alone.size(), 5U);
  std::vector<std::vector<SentenceCandidate>> results(8);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i) result = model.decode(view_of(fixture), RunContext());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) expect_identical(alone, result);
}

TEST(WfstLanguageModel, EveryFileFormatGivesTheSameBits) {
  const WfstCase fixture("case5");
  WfstLanguageModel vector(fixture.folder, fixture.options);
  const auto expected = vector.decode(view_of(fixture), RunContext());
  ASSERT_FALSE(expected.empty());
  for (const char* name : {"const", "const_aligned", "with_symbols"}) {
    SCOPED_TRACE(name);
    WfstLanguageModel model(fixture.folder.parent_path() / name, fixture.options);
    expect_identical(expected, model.decode(view_of(fixture), RunContext()));
  }
}

TEST(WfstLanguageModel, StreamingGivesTheSameBitsAndWordsOnTheWay) {
  const WfstCase fixture("case6");
  WfstLanguageModel model(fixture.folder, fixture.options);
  const auto expected = model.decode(view_of(fixture), RunContext());
  WfstStream stream = model.stream(kGraphClasses);
  EXPECT_EQ(stream.partial(), "");
  for (int trial = 0; trial < 2; ++trial) {
    std::size_t changes = 0;
    std::string last;
    for (std::int64_t t = 0; t < fixture.steps; ++t) {
      stream.push(fixture.logits.data() + t * kGraphClasses);
      const std::string partial = stream.partial();
      changes += partial != last ? 1 : 0;
      last = partial;
    }
    EXPECT_GE(changes, 7U) << "seven words were spoken";
    EXPECT_EQ(last.substr(0, 6), expected[0].sentence.substr(0, 6));
    expect_identical(expected, stream.finish());
    stream.reset();
    EXPECT_EQ(stream.partial(), "");
  }
}

TEST(WfstLanguageModel, FewSteps) {
  const WfstCase fixture("case0");
  WfstLanguageModel model(fixture.folder, fixture.options);
  EXPECT_TRUE(model.decode({nullptr, 0, kGraphClasses}, RunContext()).empty());
  const auto one = model.decode({fixture.logits.data(), 1, kGraphClasses}, RunContext());
  ASSERT_FALSE(one.empty());
  for (const SentenceCandidate& candidate : one) EXPECT_TRUE(std::isfinite(candidate.total));
}

TEST(WfstLanguageModel, RefusesLogitsThatAreNone) {
  const WfstCase fixture("case0");
  WfstLanguageModel model(fixture.folder, fixture.options);
  EXPECT_THROW(model.decode({fixture.logits.data(), 1, 40}, RunContext()), UsageError);
  EXPECT_THROW(model.stream(42), UsageError);
  std::vector<float> logits = fixture.logits;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    logits[2 * kGraphClasses + 3] = bad;
    EXPECT_THROW(model.decode({logits.data(), fixture.steps, kGraphClasses}, RunContext()), WorkError);
  }
  CancelToken cancel;
  cancel.cancel();
  const RunContext defaults;
  const RunContext cancelled(defaults.log, defaults.progress, cancel);
  EXPECT_THROW(model.decode(view_of(fixture), cancelled), Interrupted);
}

/// A graph that says one word for each step of class AA ("a", label 3), SIL ("s", label 2) or blank ("b", label 1), at
/// no cost: the sentence is the list of the steps decoded, and scores can be worked by hand.
class StepByStep : public testing::Test {
 protected:
  StepByStep() {
    write_bytes(folder_ / "words.txt", "<eps> 0\na 1\ns 2\nb 3\n#0 4\n");
    write_bytes(folder_ / "TLG.fst", test::vector_fst({{0.0F, {{3, 1, 0.0F, 0}, {2, 2, 0.0F, 0}, {1, 3, 0.0F, 0}}}}));
  }

  /// One letter a step: the class whose probability is p, the rest spread over the others.
  static std::vector<float> logits_of(const std::string& steps, double p) {
    std::vector<float> logits;
    for (const char step : steps) {
      const int best = step == 'a' ? 1 : step == 's' ? 40 : 0;
      for (int c = 0; c < kGraphClasses; ++c) {
        logits.push_back(static_cast<float>(std::log(c == best ? p : (1 - p) / (kGraphClasses - 1))));
      }
    }
    return logits;
  }
  SentenceCandidate best(const std::string& steps, double p, WfstOptions options) const {
    const auto logits = logits_of(steps, p);
    WfstLanguageModel model(folder_.path(), options);
    const LogitsView view{logits.data(), static_cast<std::int64_t>(steps.size()), kGraphClasses};
    const auto candidates = model.decode(view, RunContext());
    return candidates.empty() ? SentenceCandidate{"none", 0, 0, 0, 0} : candidates[0];
  }
  static WfstOptions options_with(float penalty, float threshold) {
    WfstOptions options;
    options.blank_penalty = penalty;
    options.ctc_blank_skip_threshold = threshold;
    return options;
  }

  ScratchFolder folder_;
};

TEST_F(StepByStep, ScoresAreLogLikelihoods) {
  const auto candidate = best("asb", 0.9, options_with(1.0F, 1.0F));
  EXPECT_EQ(candidate.sentence, "a s b");
  EXPECT_NEAR(candidate.acoustic, 3 * std::log(0.9), 1e-5);
  EXPECT_NEAR(candidate.ngram, 0.0, 1e-6);
  EXPECT_NEAR(candidate.total, 0.3 * 3 * std::log(0.9), 1e-5);
}

TEST_F(StepByStep, BlankPaysItsPenalty) {
  EXPECT_NEAR(best("ab", 0.9, options_with(4.0F, 1.0F)).acoustic, 2 * std::log(0.9) - std::log(4.0), 1e-5);
  // A blank of probability 0.9 divided by 400 is below the other classes' 0.0025.
  EXPECT_NE(best("bb", 0.9, options_with(400.0F, 1.0F)).sentence, "b b");
}

TEST_F(StepByStep, BlanksAboveTheThresholdAreLeftOutAndOnePutBackBetweenEquals) {
  const WfstOptions skip = options_with(1.0F, 0.8F);
  EXPECT_EQ(best("abs", 0.9, skip).sentence, "a s");
  EXPECT_EQ(best("abbba", 0.9, skip).sentence, "a b a");
  EXPECT_EQ(best("abbbsbbs", 0.9, skip).sentence, "a s b s");
  EXPECT_EQ(best("bbbb", 0.9, skip).sentence, "none");
  EXPECT_EQ(best("bab", 0.9, skip).sentence, "a");
  // At the threshold or below nothing is left out; the penalty counts before the comparison.
  EXPECT_EQ(best("abs", 0.75, skip).sentence, "a b s");
  EXPECT_EQ(best("abs", 0.9, options_with(1.2F, 0.8F)).sentence, "a b s");
}

TEST_F(StepByStep, TheListEndsAtNbest) {
  WfstOptions options = options_with(1.0F, 1.0F);
  options.nbest = 5;
  const auto logits = logits_of("asbasb", 0.4);
  WfstLanguageModel model(folder_.path(), options);
  EXPECT_EQ(model.decode({logits.data(), 6, kGraphClasses}, RunContext()).size(), 5U);
}

TEST_F(StepByStep, SymbolsThatAreNoWordsAreNotSaid) {
  write_bytes(folder_ / "TLG.fst", test::vector_fst({{0.0F, {{3, 1, 0.0F, 0}, {2, 4, 0.0F, 0}, {1, 3, 0.0F, 0}}}}));
  const auto logits = logits_of("asa", 0.9);
  WfstLanguageModel model(folder_.path(), options_with(1.0F, 1.0F));
  WfstStream stream = model.stream(kGraphClasses);
  for (int t = 0; t < 3; ++t) stream.push(logits.data() + t * kGraphClasses);
  EXPECT_EQ(stream.partial(), "a a");
  EXPECT_EQ(stream.finish()[0].sentence, "a a");
}

TEST_F(StepByStep, DescriptionNamesTheFolder) {
  const std::string name = folder_.path().filename().string();
  EXPECT_EQ(WfstLanguageModel(folder_.path(), {}).description(), "wfst:" + name);
  EXPECT_EQ(WfstLanguageModel(folder_.path() / "", {}).description(), "wfst:" + name);
}

TEST(WfstOptions, Presets) {
  const WfstOptions server = WfstOptions::preset("server");
  EXPECT_EQ(server.acoustic_scale, 0.3F);
  EXPECT_EQ(server.blank_penalty, 9.0F);
  const WfstOptions published = WfstOptions::preset("published");
  EXPECT_EQ(published.acoustic_scale, 0.325F);
  EXPECT_EQ(published.blank_penalty, 90.0F);
  for (const WfstOptions& options : {server, published}) {
    EXPECT_EQ(options.beam, 17.0F);
    EXPECT_EQ(options.max_active, 7000);
    EXPECT_EQ(options.min_active, 200);
    EXPECT_EQ(options.lattice_beam, 8.0F);
    EXPECT_EQ(options.ctc_blank_skip_threshold, 1.0F);
    EXPECT_EQ(options.length_penalty, 0.0F);
    EXPECT_EQ(options.nbest, 100);
    EXPECT_NO_THROW(options.validate());
  }
  EXPECT_THROW(WfstOptions::preset("best"), UsageError);
}

TEST(WfstOptions, ValuesOutOfRangeAreNamed) {
  const auto refused = [](auto change, const char* name) {
    WfstOptions options;
    change(options);
    try {
      options.validate();
      ADD_FAILURE() << name;
    } catch (const UsageError& error) {
      EXPECT_EQ(std::string(error.what()).find(name), 0U) << error.what();
    }
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  refused([](WfstOptions& o) { o.beam = 0; }, "beam");
  refused([&](WfstOptions& o) { o.beam = nan; }, "beam");
  refused([](WfstOptions& o) { o.max_active = 0; }, "max_active");
  refused([](WfstOptions& o) { o.min_active = 7001; }, "min_active");
  refused([](WfstOptions& o) { o.lattice_beam = -1; }, "lattice_beam");
  refused([](WfstOptions& o) { o.acoustic_scale = 0; }, "acoustic_scale");
  refused([](WfstOptions& o) { o.blank_penalty = 0; }, "blank_penalty");
  refused([](WfstOptions& o) { o.ctc_blank_skip_threshold = 0; }, "ctc_blank_skip_threshold");
  refused([&](WfstOptions& o) { o.length_penalty = nan; }, "length_penalty");
  refused([](WfstOptions& o) { o.nbest = 0; }, "nbest");
}

}  // namespace
}  // namespace brainquant
