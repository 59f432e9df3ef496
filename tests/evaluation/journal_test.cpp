#include "evaluation/journal.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>

#include "brainquant/support/error.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kClasses = 3;
constexpr std::size_t kTrials = 6;

RunKey key(const std::string& threads) {
  RunKey result;
  result.set("model_sha256", "aa");
  result.set("threads", threads);
  return result;
}

TrialResult trial(std::size_t index) {
  TrialResult result;
  result.index = index;
  result.session = "t15.2023.08.11";
  result.name = "trial_000" + std::to_string(index);
  result.corpus = "50-Word, \"quoted\"";
  result.block = 2;
  result.trial_num = static_cast<std::int64_t>(index);
  result.bins = 40;
  result.steps = static_cast<std::int64_t>(index % 3);
  result.phonemes = {1, static_cast<int>(index), 40};
  result.phonemes_ctc = {1, 1, static_cast<int>(index)};
  result.true_phonemes = {static_cast<int>(index)};
  result.true_sentence = "na\xc3\xafve line\nbreak";
  result.model_seconds = 0.25;
  return result;
}

Logits logits(std::size_t index) {
  Logits result{static_cast<std::int64_t>(index % 3), kClasses, {}};
  for (std::int64_t i = 0; i < result.steps * kClasses; ++i) {
    result.values.push_back(static_cast<float>(index) * 100 + static_cast<float>(i));
  }
  return result;
}

void expect_same(const TrialResult& a, const TrialResult& b) {
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.session, b.session);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.corpus, b.corpus);
  EXPECT_EQ(a.block, b.block);
  EXPECT_EQ(a.trial_num, b.trial_num);
  EXPECT_EQ(a.bins, b.bins);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(a.phonemes, b.phonemes);
  EXPECT_EQ(a.phonemes_ctc, b.phonemes_ctc);
  EXPECT_EQ(a.true_phonemes, b.true_phonemes);
  EXPECT_EQ(a.true_sentence, b.true_sentence);
  EXPECT_EQ(a.model_seconds, b.model_seconds);
}

void fill(Journal& journal) {
  // Out of order, as batches by length come.
  journal.add({trial(4), trial(1)}, {logits(4), logits(1)});
  journal.add({trial(2)}, {logits(2)});
  journal.add_sentence(1, "lm a", {"hello \"there\"", 1.25, 0.5});
  journal.add({trial(5)}, {logits(5)});
}

void write_journal(const fs::path& path, bool keep_logits) {
  Journal journal(path, key("1"), keep_logits, kTrials, kClasses);
  fill(journal);
}

TEST(Journal, CutAnywhereKeepsWhatWasFinishedBefore) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  const std::string lines = bytes_of(path);
  const std::string values = bytes_of(path.string() + ".logits");
  std::size_t most = 0;
  // Each cut costs several flushes to the disk, so not at every byte; the last one is the whole file.
  for (std::size_t cut = lines.size() % 17; cut <= lines.size(); cut += 17) {
    write_bytes(path, lines.substr(0, cut));
    write_bytes(path.string() + ".logits", values);
    Journal journal(path, key("1"), true, kTrials, kClasses);
    EXPECT_GE(journal.trials().size(), most);
    most = journal.trials().size();
    for (const auto& [index, result] : journal.trials()) {
      expect_same(result, trial(index));
      EXPECT_EQ(journal.logits(index).values, logits(index).values);
    }
    if (!journal.trials().contains(0)) {
      journal.add({trial(0), trial(3)}, {logits(0), logits(3)});
    }
    EXPECT_EQ(journal.logits(3).values, logits(3).values);
  }
  EXPECT_EQ(most, 4U);
}

TEST(Journal, ValuesCutShortTakeTheirTrialWithThem) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  const std::string lines = bytes_of(path);
  const std::string values = bytes_of(path.string() + ".logits");
  ASSERT_EQ(values.size(), (1 + 1 + 2 + 2) * kClasses * sizeof(float));
  write_bytes(path.string() + ".logits", values.substr(0, values.size() - 1));
  const Journal journal(path, key("1"), true, kTrials, kClasses);
  EXPECT_EQ(journal.trials().size(), 3U);
  EXPECT_FALSE(journal.trials().contains(5));
}

TEST(Journal, AnotherIdentityStartsAnew) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  EXPECT_TRUE(Journal(path, key("2"), true, kTrials, kClasses).trials().empty());
  EXPECT_TRUE(Journal(path, key("1"), true, kTrials, kClasses).trials().empty());  // overwritten by then
  write_bytes(path, "not a journal\n{}\n");
  EXPECT_TRUE(Journal(path, key("1"), true, kTrials, kClasses).trials().empty());
}

TEST(Journal, SaysWhichFieldOfTheKeyChanged) {
  class Messages : public Log {
   public:
    void info(const std::string& message) override { text += message + "\n"; }
    std::string text;
  };
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  Messages log;
  Progress progress;
  CancelToken cancel;
  const Journal journal(path, key("2"), true, kTrials, kClasses, WhenLocked::refuse, {log, progress, cancel});
  EXPECT_NE(log.text.find("threads was 1, is 2"), std::string::npos) << log.text;
}

TEST(Journal, WhatRefusesToStartAnewLeavesEverythingAsItWas) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  const std::string lines = bytes_of(path);
  const auto refuse = [](const Journal::OutputNames& own) {
    if (!own.contains("results.csv")) throw FileError("results.csv", "is there already");
  };
  EXPECT_THROW(Journal(path, key("2"), true, kTrials, kClasses, WhenLocked::refuse, {}, refuse), FileError);
  EXPECT_EQ(bytes_of(path), lines);
  // The same key does not make a file its own that it never wrote.
  EXPECT_THROW(Journal(path, key("1"), true, kTrials, kClasses, WhenLocked::refuse, {}, refuse), FileError);
  EXPECT_EQ(bytes_of(path), lines);
  Journal(path, key("1"), true, kTrials, kClasses).add_output("results.csv");
  EXPECT_EQ(Journal(path, key("1"), true, kTrials, kClasses, WhenLocked::refuse, {}, refuse).trials().size(), 4U);
  EXPECT_THROW(Journal(path, key("2"), true, kTrials, kClasses, WhenLocked::refuse, {}, refuse), FileError);
}

TEST(Journal, ADamagedLineEndsWhatIsTaken) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  const std::string lines = bytes_of(path);
  const std::size_t digit = lines.find("\"bins\":40", lines.find("trial_0001")) + 8;
  for (const char other : {'1', '5', '7'}) {  // still JSON, still a number
    std::string damaged = lines;
    damaged[digit] = other;
    write_bytes(path, damaged);
    const Journal journal(path, key("1"), true, kTrials, kClasses);
    EXPECT_EQ(journal.trials().size(), 1U);
    EXPECT_TRUE(journal.trials().contains(4));
  }
}

TEST(Journal, KeptLogitsServeARunThatNeedsNone) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  {
    Journal journal(path, key("1"), false, kTrials, kClasses);
    EXPECT_EQ(journal.trials().size(), 4U);
    journal.add({trial(0)}, {logits(0)});
  }
  const Journal journal(path, key("1"), true, kTrials, kClasses);
  EXPECT_EQ(journal.trials().size(), 5U);
  EXPECT_EQ(journal.logits(5).values, logits(5).values);
}

TEST(Journal, TextThatIsNotUtf8StaysWhatItWas) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  TrialResult odd = trial(1);
  odd.true_sentence = "caf\xe9 \xff";
  odd.corpus = "\xc3";
  {
    Journal journal(path, key("1"), false, kTrials, kClasses);
    journal.add({odd}, {});
    journal.add_sentence(1, "lm \xfe", {"th\xe9", {}, 0.5});
  }
  Journal journal(path, key("1"), false, kTrials, kClasses);
  journal.keep_sentences_of("lm \xfe");
  expect_same(journal.trials().at(1), odd);
  EXPECT_EQ(journal.trials().at(1).sentence, "th\xe9");
}

TEST(Journal, TrialsThatTheDataLacksAreNotTaken) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, false);
  // 4 is the first line: nothing after it can be trusted either.
  EXPECT_TRUE(Journal(path, key("1"), false, 4, kClasses).trials().empty());
}

TEST(Journal, SentencesOfAnotherLanguageModelAreForgotten) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  Journal journal(path, key("1"), true, kTrials, kClasses);
  journal.keep_sentences_of("lm a");
  EXPECT_EQ(journal.trials().at(1).sentence, "hello \"there\"");
  EXPECT_EQ(journal.trials().at(1).language_model_seconds, 0.5);
  EXPECT_EQ(journal.trials().at(1).sentence_margin, 1.25);
  journal.keep_sentences_of("lm b");
  EXPECT_FALSE(journal.trials().at(1).sentence.has_value());
  EXPECT_FALSE(journal.trials().at(1).sentence_margin.has_value());
}

TEST(Journal, CandidatesAreKeptAndSentencesWithoutThemForgottenWhereTheyAreNeeded) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  const std::vector<SentenceCandidate> candidates = {{"one", -1.25, 0.1, 0.5, -3}, {"tw\xf6", -2, 1e-17, 0, -4}};
  {
    Journal journal(path, key("1"), true, kTrials, kClasses);
    fill(journal);  // trial 1 has a sentence without candidates
    journal.add_sentence(2, "lm a", {"one", 1, 0.5, candidates});
    journal.add_sentence(4, "lm a", {"", {}, 0.5, std::vector<SentenceCandidate>()});
  }
  Journal journal(path, key("1"), true, kTrials, kClasses);
  journal.keep_sentences_of("lm a");
  EXPECT_EQ(journal.trials().at(1).sentence, "hello \"there\"");
  EXPECT_FALSE(journal.trials().at(1).candidates.has_value());
  journal.keep_sentences_of("lm a", true);
  EXPECT_FALSE(journal.trials().at(1).sentence.has_value());
  EXPECT_EQ(journal.trials().at(4).candidates->size(), 0U);
  const std::vector<SentenceCandidate>& kept = journal.trials().at(2).candidates.value();
  ASSERT_EQ(kept.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(kept[i].sentence, candidates[i].sentence);
    EXPECT_EQ(kept[i].acoustic, candidates[i].acoustic);
    EXPECT_EQ(kept[i].ngram, candidates[i].ngram);
    EXPECT_EQ(kept[i].llm, candidates[i].llm);
    EXPECT_EQ(kept[i].total, candidates[i].total);
  }
  journal.keep_sentences_of("lm b", true);
  EXPECT_FALSE(journal.trials().at(2).candidates.has_value());
}

// CRC-32 as ISO 3309 has it.
std::string crc32_of(const std::string& text) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
  }
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", crc ^ 0xffffffff);
  return digits;
}

TEST(Journal, LinesOfVersionsWithoutCandidatesAreTaken) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  write_journal(path, true);
  const std::string older = R"({"index":2,"language_model":"lm a","sentence":"one","seconds":0.5})";
  write_bytes(path, bytes_of(path) + crc32_of(older) + " " + older + "\n");
  Journal journal(path, key("1"), true, kTrials, kClasses);
  EXPECT_EQ(journal.trials().at(2).sentence, "one");
  journal.keep_sentences_of("lm a", true);
  EXPECT_FALSE(journal.trials().at(2).sentence.has_value());
}

TEST(Journal, IsOneRunsAlone) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  const Journal first(path, key("1"), false, kTrials, kClasses);
  EXPECT_THROW(Journal(path, key("1"), false, kTrials, kClasses), WorkError);
}

TEST(Journal, RemoveLeavesNothing) {
  const ScratchFolder scratch;
  const fs::path path = scratch / "j.partial";
  {
    Journal journal(path, key("1"), true, kTrials, kClasses);
    fill(journal);
    journal.remove();
  }
  EXPECT_TRUE(fs::is_empty(scratch.path()));
}

}  // namespace
}  // namespace brainquant
