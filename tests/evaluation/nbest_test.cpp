// The candidates of every trial, whole however often the run that writes them was interrupted.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "brainquant/evaluation/evaluator.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/support/error.h"
#include "io/hdf5_logits.h"
#include "io/scratch_folder.h"

namespace brainquant {
namespace {

namespace fs = std::filesystem;

const fs::path kStudy = std::string(BRAINQUANT_FIXTURES) + "/small_study";
const fs::path kGraph = std::string(BRAINQUANT_FIXTURES) + "/wfst/case1";
constexpr std::size_t kTrials = 18;

EvaluationOptions options_in(const fs::path& folder) {
  EvaluationOptions options;
  options.model_path = kStudy / "model";
  options.data.data_dir = kStudy / "data";
  options.data.csv_path = kStudy / "corpora.csv";
  options.engine.gpu_number = -1;
  options.engine.threads = 2;
  options.language_model.lm_dir = kGraph;
  options.language_model.lm_preset = "published";
  options.output_csv = folder / "r.csv";
  options.output_nbest = folder / "nbest.jsonl";
  return options;
}

/// Cancels a run after some sentences.
class Interrupter final : public Progress {
 public:
  explicit Interrupter(std::int64_t sentences) : sentences_(sentences) {}
  void update(const std::string& stage, std::int64_t done, std::int64_t /*total*/) override {
    if (stage != "sentences") return;
    if (first < 0) first = done;
    if (done >= sentences_) cancel.cancel();
  }
  CancelToken cancel;
  std::int64_t first = -1;  // sentences that were there at the beginning

 private:
  std::int64_t sentences_;
};

// Until `sentences` are made, or to the end; returns how many an earlier run had made.
std::int64_t run(const EvaluationOptions& options, std::int64_t sentences = 1000) {
  Log log;
  Interrupter progress(sentences);
  const RunContext context(log, progress, progress.cancel);
  if (sentences < static_cast<std::int64_t>(kTrials)) {
    EXPECT_THROW(evaluate(options, context), Interrupted);
  } else {
    evaluate(options, context);
  }
  return progress.first;
}

TEST(Nbest, HoldsWhatTheLanguageModelSaysOfTheSavedLogits) {
  WfstLanguageModel language_model(kGraph, WfstOptions::preset("published"));
  for (const bool streaming : {false, true}) {
    const ScratchFolder scratch;
    EvaluationOptions options = options_in(scratch.path());
    options.streaming = streaming;
    options.save_logits = scratch / "logits.h5";
    evaluate(options, {}, [](const WordsSoFar&) {});
    LogitsFileReader logits(options.save_logits);
    std::istringstream lines(bytes_of(options.output_nbest));
    std::size_t trial = 0;
    std::size_t candidates = 0;
    for (std::string text; std::getline(lines, text); ++trial) {
      const nlohmann::json line = nlohmann::json::parse(text);
      ASSERT_LT(trial, kTrials);
      EXPECT_EQ(line["label"], logits.labels()[trial]);  // sessions and trials sort by their names
      const StoredLogits stored = logits.read(line["label"]);
      const auto expected = language_model.decode({stored.values.data(), stored.steps, stored.classes}, {});
      ASSERT_EQ(line["candidates"].size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const nlohmann::json one = line["candidates"][i];
        EXPECT_EQ(one["sentence"], expected[i].sentence);
        EXPECT_EQ(one["acoustic"], expected[i].acoustic);
        EXPECT_EQ(one["ngram"], expected[i].ngram);
        EXPECT_EQ(one["total"], expected[i].total);
        EXPECT_LE(one["total"], line["candidates"][0]["total"]);
        ++candidates;
      }
    }
    EXPECT_EQ(trial, kTrials);
    EXPECT_GT(candidates, 2 * kTrials);
  }
}

TEST(Nbest, IsWholeAfterAnInterruption) {
  const ScratchFolder whole;
  run(options_in(whole.path()));
  const std::string expected = bytes_of(whole / "nbest.jsonl");
  ASSERT_FALSE(expected.empty());

  const ScratchFolder scratch;
  const EvaluationOptions options = options_in(scratch.path());
  run(options, 5);
  EXPECT_FALSE(fs::exists(options.output_nbest));
  EXPECT_GE(run(options), 5);
  EXPECT_EQ(bytes_of(options.output_nbest), expected);
  EXPECT_EQ(bytes_of(options.output_csv), bytes_of(whole / "r.csv"));
}

// The journal of a run that was not asked for candidates has none: its sentences are made again.
TEST(Nbest, SentencesWithoutCandidatesAreMadeAgain) {
  const ScratchFolder whole;
  run(options_in(whole.path()));
  const ScratchFolder scratch;
  EvaluationOptions options = options_in(scratch.path());
  options.output_nbest.clear();
  run(options, 5);
  options.output_nbest = scratch / "nbest.jsonl";
  EXPECT_EQ(run(options, 7), 0);
  EXPECT_GE(run(options), 7);
  EXPECT_EQ(bytes_of(options.output_nbest), bytes_of(whole / "nbest.jsonl"));
  EXPECT_EQ(bytes_of(options.output_csv), bytes_of(whole / "r.csv"));
  // The other way round, sentences with candidates serve a run that needs none.
  fs::remove(options.output_csv);
  fs::remove(options.output_nbest);
  run(options, 5);
  options.output_nbest.clear();
  EXPECT_GE(run(options), 5);
  EXPECT_EQ(bytes_of(options.output_csv), bytes_of(whole / "r.csv"));
}

TEST(Nbest, NeedsTheEmbeddedLanguageModelAndAPathOfItsOwn) {
  const ScratchFolder scratch;
  EvaluationOptions options = options_in(scratch.path());
  options.language_model.skip_lm = true;
  EXPECT_THROW(options.validate(), UsageError);
  options.language_model = {};
  EXPECT_THROW(options.validate(), UsageError);
  options = options_in(scratch.path());
  EXPECT_NO_THROW(options.validate());
  write_bytes(options.output_nbest, "somebody's");
  EXPECT_THROW(evaluate(options), FileError);
  EXPECT_EQ(bytes_of(options.output_nbest), "somebody's");
  options.force = true;
  for (const fs::path& taken : {options.output_csv, options.data.csv_path}) {
    options.output_nbest = taken;
    EXPECT_THROW(evaluate(options), FileError);
  }
}

}  // namespace
}  // namespace brainquant
