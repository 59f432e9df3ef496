// Words and phonemes by the C library, against the C++ library's own language model and cases worked by hand.

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "brainquant/c_api.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "language_model/wfst_case.h"

namespace brainquant {
namespace {

using test::WfstCase;

struct Found {
  std::vector<std::string> partials;
  std::vector<SentenceCandidate> sentences;
};

/// Like the options of `one`, by name.
std::vector<std::pair<std::string, std::string>> named(const WfstOptions& one) {
  WfstOptions copy = one;
  std::vector<std::pair<std::string, std::string>> options;
  const OptionList list = list_options(copy);
  for (const Option& option : list.options()) options.emplace_back(option.name, text_of(option.value()));
  return options;
}

bq_words* words_of(const bq_graph* graph, const WfstOptions& options) {
  const auto texts = named(options);
  std::vector<bq_option> given;
  for (const auto& [name, value] : texts) given.push_back({name.c_str(), value.c_str()});
  bq_words* words = nullptr;
  EXPECT_EQ(bq_words_create(graph, given.data(), static_cast<std::int64_t>(given.size()), &words), BQ_OK)
      << bq_last_error();
  return words;
}

Found decode(bq_words* words, const std::vector<float>& logits) {
  Found found;
  for (std::size_t at = 0; at < logits.size(); at += kGraphClasses) {
    EXPECT_EQ(bq_words_push(words, logits.data() + at), BQ_OK) << bq_last_error();
    found.partials.emplace_back(bq_words_partial(words));
  }
  const std::int64_t count = bq_words_finish(words);
  for (std::int64_t rank = 0; rank < count; ++rank) {
    bq_sentence sentence = {};
    EXPECT_EQ(bq_words_sentence(words, rank, &sentence), BQ_OK);
    found.sentences.push_back({sentence.text, sentence.acoustic, sentence.ngram, 0, sentence.total});
  }
  bq_sentence none = {};
  EXPECT_EQ(bq_words_sentence(words, count, &none), BQ_ERROR_USAGE);
  return found;
}

void expect_same(const std::vector<SentenceCandidate>& found, const std::vector<SentenceCandidate>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].sentence, expected[i].sentence);
    EXPECT_EQ(found[i].acoustic, expected[i].acoustic);
    EXPECT_EQ(found[i].ngram, expected[i].ngram);
    EXPECT_EQ(found[i].total, expected[i].total);
  }
}

TEST(WordsApi, TheLanguageModelsSentencesBitForBitAlsoAfterReset) {
  for (const char* name : {"case2", "case5", "case7"}) {
    SCOPED_TRACE(name);
    const WfstCase one(name);
    bq_graph* graph = nullptr;
    ASSERT_EQ(bq_graph_open(one.folder.c_str(), nullptr, &graph), BQ_OK) << bq_last_error();
    bq_words* words = words_of(graph, one.options);
    bq_graph_close(graph);  // the words keep what they need
    WfstLanguageModel model(one.folder, one.options);
    const auto expected = model.decode({one.logits.data(), one.steps, kGraphClasses}, {});
    ASSERT_FALSE(expected.empty());
    WfstStream stream = model.stream(kGraphClasses);
    std::vector<std::string> partials;
    for (std::int64_t t = 0; t < one.steps; ++t) {
      stream.push(one.logits.data() + t * kGraphClasses);
      partials.push_back(stream.partial());
    }
    for (int round = 0; round < 2; ++round) {
      const Found found = decode(words, one.logits);
      expect_same(found.sentences, expected);
      EXPECT_EQ(found.partials, partials);
      ASSERT_EQ(bq_words_reset(words), BQ_OK);
    }
    bq_words_free(words);
  }
}

TEST(WordsApi, Rescoring) {
  const WfstCase one("case5");
  const std::string arpa = (one.folder / "lm.arpa").string();
  bq_graph* graph = nullptr;
  ASSERT_EQ(bq_graph_open(one.folder.c_str(), arpa.c_str(), &graph), BQ_OK) << bq_last_error();
  bq_words* words = words_of(graph, one.options);
  const auto expected =
      WfstLanguageModel(one.folder, one.options, arpa).decode({one.logits.data(), one.steps, kGraphClasses}, {});
  expect_same(decode(words, one.logits).sentences, expected);
  bq_words_free(words);
  bq_graph_close(graph);
}

TEST(WordsApi, ManyThreadsShareAGraph) {
  const WfstCase one("case7");
  bq_graph* graph = nullptr;
  ASSERT_EQ(bq_graph_open(one.folder.c_str(), nullptr, &graph), BQ_OK);
  bq_words* alone = words_of(graph, one.options);
  const Found expected = decode(alone, one.logits);
  bq_words_free(alone);
  std::vector<Found> found(4);
  {
    std::vector<std::jthread> threads;
    for (Found& own : found) {
      threads.emplace_back([&own, &one, graph] {
        bq_words* words = words_of(graph, one.options);
        own = decode(words, one.logits);
        bq_words_free(words);
      });
    }
  }
  for (const Found& own : found) expect_same(own.sentences, expected.sentences);
  bq_graph_close(graph);
}

TEST(WordsApi, OptionsByNameThePresetFirst) {
  const WfstCase one("case2");
  bq_graph* graph = nullptr;
  ASSERT_EQ(bq_graph_open(one.folder.c_str(), nullptr, &graph), BQ_OK);
  WfstOptions wanted = WfstOptions::preset("published");
  wanted.beam = 12.5F;
  const bq_option options[] = {{"beam", "12.5"}, {"lm_preset", "published"}};
  bq_words* words = nullptr;
  ASSERT_EQ(bq_words_create(graph, options, 2, &words), BQ_OK) << bq_last_error();
  expect_same(decode(words, one.logits).sentences,
              WfstLanguageModel(one.folder, wanted).decode({one.logits.data(), one.steps, kGraphClasses}, {}));
  bq_words_free(words);
  const auto refusal = [&](const char* name, const char* value) {
    const bq_option wrong = {name, value};
    EXPECT_LT(bq_words_create(graph, &wrong, 1, &words), 0);
    EXPECT_EQ(words, nullptr);
    return std::string(bq_last_error());
  };
  EXPECT_NE(refusal("width", "3").find("width"), std::string::npos);
  EXPECT_NE(refusal("beam", "wide").find("beam"), std::string::npos);
  EXPECT_NE(refusal("beam", "-1").find("beam"), std::string::npos);
  EXPECT_NE(refusal("lm_preset", "best").find("lm_preset"), std::string::npos);
  EXPECT_NE(refusal("beam", nullptr).find("NULL"), std::string::npos);
  EXPECT_EQ(bq_words_create(graph, nullptr, 1, &words), BQ_ERROR_ARGUMENT);
  EXPECT_EQ(bq_words_create(nullptr, nullptr, 0, &words), BQ_ERROR_ARGUMENT);
  bq_graph_close(graph);
  EXPECT_EQ(bq_graph_open("/nowhere", nullptr, &graph), BQ_ERROR_FILE);
  EXPECT_EQ(graph, nullptr);
  EXPECT_EQ(bq_words_partial(nullptr), nullptr);
  EXPECT_EQ(bq_words_push(nullptr, one.logits.data()), BQ_ERROR_ARGUMENT);
  bq_words_free(nullptr);
  bq_graph_close(nullptr);
}

// Best classes 1 0 1 1 0 2 40: in the published order both 1s become one, in CTC's they stay two.
TEST(PhonemesApi, BothOrdersAndTheirNames) {
  const int best[] = {1, 0, 1, 1, 0, 2, 40};
  std::vector<float> logits(7 * 41, -1.0F);
  for (int t = 0; t < 7; ++t) logits[static_cast<std::size_t>(t * 41 + best[t])] = 1.0F;
  std::int32_t phonemes[7];
  ASSERT_EQ(bq_phonemes(logits.data(), 7, 41, 0, phonemes, 7), 3);
  EXPECT_EQ(std::vector<std::int32_t>(phonemes, phonemes + 3), (std::vector<std::int32_t>{1, 2, 40}));
  ASSERT_EQ(bq_phonemes(logits.data(), 7, 41, 1, phonemes, 7), 4);
  EXPECT_EQ(std::vector<std::int32_t>(phonemes, phonemes + 4), (std::vector<std::int32_t>{1, 1, 2, 40}));
  EXPECT_EQ(bq_phonemes(logits.data(), 7, 41, 1, phonemes, 3), BQ_ERROR_ARGUMENT);
  EXPECT_EQ(bq_phonemes(nullptr, 0, 41, 1, nullptr, 0), 0);
  EXPECT_STREQ(bq_class_name(0), "BLANK");
  EXPECT_STREQ(bq_class_name(1), "AA");
  EXPECT_STREQ(bq_class_name(40), "|");
  EXPECT_EQ(bq_class_name(41), nullptr);
}

}  // namespace
}  // namespace brainquant
