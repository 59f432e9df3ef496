// What a comparison says of words: which of them a method changes, and with which language-model scales.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "apps/program.h"
#include "apps/study.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/scoring/error_rate.h"
#include "io/csv.h"
#include "io/hdf5_logits.h"

namespace brainquant::testing {
namespace {

namespace fs = std::filesystem;

const std::string kModel = (study_folder() / "model").string();

// The list against the results files that the comparison is made of.
TEST(ComparisonOfWords, SaysWhichWordsAndPhonemesChanged) {
  const ScratchFolder scratch;
  const fs::path lm_dir = std::string(BRAINQUANT_FIXTURES) + "/wfst/case1";
  const ProgramResult run =
      run_program("test_all_quantization_methods",
                  std::vector<std::string>{"--model_path", kModel, "--output_dir", scratch.path().string(), "--methods",
                                           "dynamic_qint4", "--lm", "wfst", "--lm_dir", lm_dir.string(), "--lm_preset",
                                           "published"} +
                      data_flags(),
                  scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const fs::path results = scratch / "quantization_results";
  const nlohmann::json comparison = json_in(results / "comparison.json");
  const nlohmann::json& changes = comparison["methods"][1]["changes"];
  const CsvTable before(results / "fp32_val.csv");
  const CsvTable after(results / "dynamic_qint4_val.csv");
  std::int64_t differ = 0;
  for (std::size_t i = 0; i < before.rows().size(); ++i) {
    const std::size_t column = before.column("pred_sentence");
    differ += normalize_sentence(before.rows()[i].fields[column]) != normalize_sentence(after.rows()[i].fields[column]);
  }
  EXPECT_EQ(changes["trials"], 18);
  EXPECT_EQ(changes["words_differ"], differ);
  EXPECT_GE(changes["phonemes_differ"], 1);
  const std::string line = "dynamic_qint4: " + std::to_string(differ) + " of 18 sentences differ from fp32's";
  EXPECT_NE(run.out.find(line), std::string::npos) << run.out;
  EXPECT_NE(bytes_of(results / "comparison_changes.md").find("\n" + line), std::string::npos);

  LogitsFileReader logits(results / "logits/fp32_val.h5");
  LogitsFileReader other_logits(results / "logits/dynamic_qint4_val.h5");
  WfstLanguageModel language_model(lm_dir, WfstOptions::preset("published"));
  for (const auto& trial : changes["listed"]) {
    SCOPED_TRACE(trial["label"].get<std::string>());
    const StoredLogits a = logits.read(trial["label"]);
    const StoredLogits b = other_logits.read(trial["label"]);
    double widest = -1;
    for (std::int64_t step = 0; step < a.steps; ++step) {
      const float* row = a.values.data() + step * a.classes;
      const float* other = b.values.data() + step * b.classes;
      const auto x = std::max_element(row, row + a.classes) - row;
      const auto y = std::max_element(other, other + b.classes) - other;
      double sum = 0;
      for (std::int64_t c = 0; c < a.classes; ++c) sum += std::exp(static_cast<double>(row[c]));
      if (x != y) widest = std::max(widest, std::log(std::exp(row[x]) / sum) - std::log(std::exp(row[y]) / sum));
    }
    if (widest < 0) {
      EXPECT_TRUE(trial["widest_flip"].is_null());
    } else {
      EXPECT_NEAR(trial["widest_flip"]["margin"], widest, 1e-5);
    }
    const auto candidates = language_model.decode({a.values.data(), a.steps, a.classes}, {});
    ASSERT_EQ(trial["sentence_margin"].is_null(), candidates.size() < 2);
    if (candidates.size() > 1) {
      EXPECT_NEAR(trial["sentence_margin"], candidates[0].total - candidates[1].total, 1e-9);
    }
  }
}

// All methods have fp32's scales; with --tune_lm_each each is evaluated once more with its own.
TEST(ComparisonOfWords, TunesTheLanguageModelForFp32AndForEachMethod) {
  const ScratchFolder scratch;
  const std::vector<std::string> data = {"--data_dir", (study_folder() / "tuning").string(), "--csv_path",
                                         (study_folder() / "corpora.csv").string()};
  const std::vector<std::string> words = {
      "--lm",      "wfst", "--lm_dir",    std::string(BRAINQUANT_FIXTURES) + "/wfst/case1",
      "--threads", "1",    "--beam",      "8",
      "--tune_lm", "6",    "--lm_preset", "published"};
  const std::vector<std::string> flags =
      std::vector<std::string>{"--model_path",          kModel,      "--output_dir",
                               scratch.path().string(), "--methods", "dynamic_qint4"} +
      data + words;
  const std::vector<std::string> each = {"--tune_lm_each"};
  const ProgramResult run = run_program("test_all_quantization_methods", flags + each, scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("WER % own scales"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("language model tuned for fp32 on 6 trials of train"), std::string::npos) << run.out;
  const fs::path results = scratch / "quantization_results";
  const nlohmann::json methods = json_in(results / "comparison.json")["methods"];
  const nlohmann::json& fp32 = methods[0]["evaluation"];
  const nlohmann::json& shared = methods[1]["evaluation"];
  const nlohmann::json& own = methods[1]["own_scales"];
  EXPECT_EQ(fp32["lm_tuning"]["count"], 6);
  EXPECT_EQ(shared["lm_scales"], fp32["lm_scales"]);
  EXPECT_TRUE(shared["lm_tuning"].is_null());
  EXPECT_EQ(own["lm_tuning"]["trials"], fp32["lm_tuning"]["trials"]);
  EXPECT_EQ(methods[1]["metrics"]["wer_own_scales"], own["wer"]["total"]["rate"]);

  // The same by evaluate_quantized_model alone.
  const std::string file = (scratch / "quantized_dynamic_qint4/checkpoint/quantized_model.pt").string();
  const fs::path json = scratch / "alone.json";
  const ProgramResult alone = run_program(
      "evaluate_quantized_model",
      std::vector<std::string>{"--model_path", file, "--output_json", json.string()} + data + words, scratch.path());
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  EXPECT_EQ(alone.out.rfind("WER %, acoustic_scale", 0), 0U) << alone.out;
  EXPECT_EQ(json_in(json)["lm_tuning"], own["lm_tuning"]);
  EXPECT_EQ(json_in(json)["lm_scales"], own["lm_scales"]);
  EXPECT_EQ(json_in(json)["wer"], own["wer"]);

  // All is reused, and the shared results serve a run without --tune_lm_each.
  const ProgramResult again = run_program("test_all_quantization_methods", flags + each, scratch.path());
  EXPECT_EQ(again.err.find(": evaluating"), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("dynamic_qint4 with its own scales: finished by an earlier run"), std::string::npos);
  const ProgramResult without = run_program("test_all_quantization_methods", flags, scratch.path());
  EXPECT_EQ(without.err.find(": evaluating"), std::string::npos) << without.err;
  EXPECT_EQ(without.out.find("own scales"), std::string::npos) << without.out;
  EXPECT_FALSE(json_in(results / "comparison.json")["methods"][1].contains("own_scales"));
}

TEST(ComparisonOfWords, TuningIsRefusedWhereItMakesNoSense) {
  const ScratchFolder scratch;
  const std::vector<std::string> wfst = {"--lm", "wfst", "--lm_dir", std::string(BRAINQUANT_FIXTURES) + "/wfst/case1"};
  for (const std::vector<std::string>& more :
       {wfst + std::vector<std::string>{"--tune_lm", "3", "--eval_type", "train"},
        wfst + std::vector<std::string>{"--tune_lm", "3", "--blank_penalty", "9"},
        std::vector<std::string>{"--tune_lm", "3"}}) {
    const ProgramResult run =
        run_program("evaluate_quantized_model", std::vector<std::string>{"--model_path", kModel} + data_flags() + more,
                    scratch.path());
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_EQ(run.errors().size(), 1U) << run.err;
  }
  const ProgramResult run = run_program(
      "test_all_quantization_methods",
      std::vector<std::string>{"--model_path", kModel, "--output_dir", scratch.path().string(), "--tune_lm_each"} +
          data_flags() + wfst,
      scratch.path());
  EXPECT_EQ(run.exit_code, 2) << run.err;
}

}  // namespace
}  // namespace brainquant::testing
