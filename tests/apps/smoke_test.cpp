// All four programs end to end, against PyTorch's phonemes and plain Python's error rates.
#include <gtest/gtest.h>

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

ProgramResult evaluate_in(const ScratchFolder& scratch, const std::string& model, std::vector<std::string> more = {}) {
  return run_program("evaluate_quantized_model", std::vector<std::string>{"--model_path", model} + data_flags() + more,
                     scratch.path());
}

// What the CSV must be, from the fixture; the sentences' punctuation never gets into a phoneme CSV.
std::string expected_csv(const char* split) {
  const bool labelled = std::string(split) == "val";
  std::string text = std::string("session,block,trial,pred_phonemes") + (labelled ? ",true_phonemes" : "") + "\n";
  for (const auto& trial : expected()[split]) {
    text += trial["session"].get<std::string>() + "," + std::to_string(trial["block"].get<int>()) + "," +
            std::to_string(trial["trial"].get<int>()) + "," + trial["phonemes"].get<std::string>();
    if (labelled) text += "," + trial["true_phonemes"].get<std::string>();
    text += "\n";
  }
  return text;
}

// A check of tests/fixtures, in Python.
void expect_python_agrees(const char* script, const std::vector<std::string>& arguments) {
  std::string command = std::string(BRAINQUANT_PYTHON) + " '" BRAINQUANT_CHECKS "/" + script + "'";
  for (const std::string& argument : arguments) command += " '" + argument + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

TEST(Smoke, ATableOfTrialsIsPythons) {
  const ScratchFolder scratch;
  const fs::path lm_dir = std::string(BRAINQUANT_FIXTURES) + "/wfst/case1";
  const std::vector<std::string> words = {"--lm", "wfst", "--lm_dir", lm_dir.string(), "--lm_preset", "published"};
  int number = 0;
  for (const auto& more : {std::vector<std::string>{"--skip_lm"}, words}) {
    for (const std::string split : {"val", "test"}) {
      const std::string name = std::to_string(number++);
      const std::string csv = (scratch / (name + ".csv")).string();
      const std::string trials = (scratch / (name + ".trials.csv")).string();
      const std::string json = (scratch / (name + ".json")).string();
      const ProgramResult run =
          evaluate_in(scratch, kModel,
                      more + std::vector<std::string>{"--eval_type", split, "--output_csv", csv, "--output_json", json,
                                                      "--output_trials", trials});
      ASSERT_EQ(run.exit_code, 0) << run.err;
      expect_python_agrees("check_trials_csv.py", {(study_folder() / "expected.json").string(), split, trials, json});
    }
  }
}

TEST(Smoke, LogitsAsNpzAreThoseOfHdf5) {
  const ScratchFolder scratch;
  const std::string npz = (scratch / "logits.npz").string();
  const std::string hdf5 = (scratch / "logits.h5").string();
  for (const std::string& file : {npz, hdf5}) {
    const ProgramResult run = evaluate_in(
        scratch, kModel, {"--skip_lm", "--output_csv", (file + ".csv"), "--save_logits", file, "--threads", "1"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  expect_python_agrees("check_npz.py", {npz, hdf5});
}

TEST(Smoke, Fp32EvaluationIsPyTorchs) {
  const ScratchFolder scratch;
  const fs::path csv = scratch / "results.csv";
  const fs::path json = scratch / "results.json";
  const ProgramResult run =
      evaluate_in(scratch, kModel,
                  {"--skip_lm", "--output_csv", csv.string(), "--output_json", json.string(), "--step_latency", "20"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(bytes_of(csv), expected_csv("val"));
  EXPECT_FALSE(fs::exists(csv.string() + ".partial"));
  const nlohmann::json result = json_in(json);
  EXPECT_EQ(result["schema_version"], 1);
  EXPECT_NEAR(result["per"]["total"]["rate"], expected_rate("distance"), 1e-9);
  EXPECT_NEAR(result["per_ctc"]["total"]["rate"], expected_rate("distance_ctc"), 1e-9);
  for (const auto& [session, rate] : result["per"]["sessions"].items()) {
    EXPECT_NEAR(rate["rate"], expected_rate("distance", "session", session), 1e-9) << session;
  }
  EXPECT_EQ(result["per"]["sessions"].size(), 3U);
  for (const std::string corpus : {"50-Word", "Switchboard"}) {
    EXPECT_NEAR(result["per"]["corpora"].at(corpus)["rate"], expected_rate("distance", "corpus", corpus), 1e-9);
  }
  EXPECT_EQ(result["data"]["too_short"], 1);
  EXPECT_EQ(result["step"]["work"]["count"], 20);
  EXPECT_GT(result["peak_memory_bytes"].get<double>(), 1e7);
  EXPECT_LT(result["peak_memory_bytes"].get<double>(), 1e9);
}

TEST(Smoke, TestSplitHasPredictionsOnly) {
  const ScratchFolder scratch;
  const fs::path csv = scratch / "results.csv";
  const fs::path json = scratch / "results.json";
  const ProgramResult run =
      evaluate_in(scratch, kModel,
                  {"--skip_lm", "--eval_type", "test", "--output_csv", csv.string(), "--output_json", json.string()});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(bytes_of(csv), expected_csv("test"));
  EXPECT_TRUE(json_in(json)["per"].is_null());
}

TEST(Smoke, QuantizedFileStandsAloneAndIsNotMadeTwice) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "q" / "quantized_model.pt";
  const std::vector<std::string> flags = {"--model_path", kModel, "--output_path", output.string()};
  const ProgramResult made = run_program("quantize_model", flags, scratch.path());
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(made.out.find("gru.weight_ih_l0"), std::string::npos);
  EXPECT_EQ(bytes_of(scratch / "q" / "args.yaml"), bytes_of(study_folder() / "model/checkpoint/args.yaml"));
  const std::string bytes = bytes_of(output);
  const ProgramResult again = run_program("quantize_model", flags, scratch.path());
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_NE(again.out.find("skipped"), std::string::npos);
  const ProgramResult other =
      run_program("quantize_model", flags + std::vector<std::string>{"--dtype", "float16"}, scratch.path());
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_EQ(other.errors().size(), 1U);
  EXPECT_EQ(bytes_of(output), bytes);
  const ProgramResult forced =
      run_program("quantize_model", flags + std::vector<std::string>{"--dtype", "float16", "--force"}, scratch.path());
  EXPECT_EQ(forced.exit_code, 0) << forced.err;
  EXPECT_NE(bytes_of(output), bytes);

  const fs::path csv = scratch / "results.csv";
  const ProgramResult evaluated = evaluate_in(scratch, output.string(), {"--skip_lm", "--output_csv", csv.string()});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_EQ(bytes_of(csv), expected_csv("val"));  // FP16 keeps every phoneme of this model
}

// Error rates of weights in 4 bits: of a decoder so small a few phonemes change, all would if they were misread.
TEST(Smoke, FourBitsAreQuantizedAndEvaluated) {
  const ScratchFolder scratch;
  const std::vector<std::pair<std::string, std::vector<std::string>>> ways = {
      {"dynamic", {}},
      {"dynamic", {"--weight_rounding", "gptq", "--gptq_samples", "10"}},
      {"static_per_channel", {}},
      {"static_per_channel", {"--weight_rounding", "nearest"}}};
  for (std::size_t i = 0; i < ways.size(); ++i) {
    SCOPED_TRACE(::testing::PrintToString(ways[i]));
    const fs::path output = scratch / std::to_string(i) / "quantized_model.pt";
    const ProgramResult made =
        run_program("quantize_model",
                    std::vector<std::string>{"--model_path", kModel, "--output_path", output.string(),
                                             "--quantization_type", ways[i].first, "--dtype", "qint4"} +
                        data_flags() + ways[i].second,
                    scratch.path());
    ASSERT_EQ(made.exit_code, 0) << made.err;
    EXPECT_NE(made.out.find(ways[i].first + "_qint4: "), std::string::npos) << made.out;
    std::string first;
    for (const std::string engine : {"native", "reference"}) {
      const fs::path csv = scratch / (std::to_string(i) + engine + ".csv");
      const fs::path json = scratch / (std::to_string(i) + engine + ".json");
      const ProgramResult run =
          evaluate_in(scratch, output.string(),
                      {"--skip_lm", "--engine", engine, "--output_csv", csv.string(), "--output_json", json.string()});
      ASSERT_EQ(run.exit_code, 0) << run.err;
      const nlohmann::json result = json_in(json);
      EXPECT_EQ(result["model"]["method"], ways[i].first + "_qint4");
      const bool gptq = (ways[i].first == "dynamic") == !ways[i].second.empty();
      EXPECT_EQ(result["model"]["quantization"]["options"]["weight_rounding"], gptq ? "gptq" : "nearest");
      EXPECT_NEAR(result["per"]["total"]["rate"], expected_rate("distance"), 15);
      if (first.empty()) first = bytes_of(csv);
      EXPECT_EQ(bytes_of(csv), first) << engine;
    }
  }
}

TEST(Smoke, BitsMayBeChosenByHand) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "q" / "quantized_model.pt";
  const ProgramResult made =
      run_program("quantize_model",
                  {"--model_path", kModel, "--output_path", output.string(), "--dtype", "mixed", "--bits",
                   "gru.*=4,gru.weight_ih_l0=8", "--bits", "day_residuals.2=4", "--dry_run"},
                  scratch.path());
  ASSERT_EQ(made.exit_code, 0) << made.err;
  for (const char* tensor : {"gru.weight_hh_l0.codes", "gru.weight_ih_l1.codes", "day_residuals.2.codes"}) {
    EXPECT_NE(made.out.find(tensor), std::string::npos) << made.out;
  }
  for (const char* tensor : {"gru.weight_ih_l0.codes", "day_residuals.1.codes", "out.weight.codes"}) {
    EXPECT_EQ(made.out.find(tensor), std::string::npos) << made.out;
  }
  const ProgramResult run = run_program(
      "run_quantization_experiment",
      std::vector<std::string>{"--model_path", kModel, "--output_dir", scratch.path().string(), "--skip_lm",
                               "--quantization_type", "static_per_channel", "--dtype", "mixed", "--bits", "gru.*=4"} +
          data_flags(),
      scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.rfind("static_per_channel_mixed-bits_", 0), 0U) << run.out;
}

TEST(Smoke, DryRunWritesNothing) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "quantized_model.pt";
  for (const std::string type : {"dynamic", "static"}) {
    const ProgramResult run = run_program(
        "quantize_model",
        {"--model_path", kModel, "--output_path", output.string(), "--quantization_type", type, "--dry_run"},
        scratch.path());
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_NE(run.out.find("out.weight.scale"), std::string::npos) << run.out;
    EXPECT_FALSE(fs::exists(output));
    EXPECT_FALSE(fs::exists(scratch / "args.yaml"));
  }
}

TEST(Smoke, StreamingGivesTheWholeTrialsPhonemes) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "quantized_model.pt";
  ASSERT_EQ(run_program("quantize_model",
                        std::vector<std::string>{"--model_path", kModel, "--output_path", output.string(),
                                                 "--quantization_type", "static_per_channel"} +
                            data_flags(),
                        scratch.path())
                .exit_code,
            0);
  const fs::path whole = scratch / "whole.csv";
  const fs::path streamed = scratch / "streamed.csv";
  ASSERT_EQ(evaluate_in(scratch, output.string(), {"--skip_lm", "--output_csv", whole.string()}).exit_code, 0);
  const ProgramResult run =
      evaluate_in(scratch, output.string(), {"--skip_lm", "--streaming", "--output_csv", streamed.string()});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(bytes_of(streamed), bytes_of(whole));
  EXPECT_NE(run.out.find("last bin to logits"), std::string::npos);
}

TEST(Smoke, EmbeddedLanguageModelSaysWhatItSaysOfTheSavedLogits) {
  const ScratchFolder scratch;
  const fs::path lm_dir = std::string(BRAINQUANT_FIXTURES) + "/wfst/case1";
  WfstLanguageModel language_model(lm_dir, WfstOptions::preset("published"));
  std::string first;
  for (const std::string threads : {"1", "2"}) {
    const fs::path csv = scratch / (threads + ".csv");
    const fs::path logits = scratch / (threads + ".h5");
    const fs::path json = scratch / (threads + ".json");
    const ProgramResult run =
        evaluate_in(scratch, kModel,
                    {"--lm", "wfst", "--lm_dir", lm_dir.string(), "--lm_preset", "published", "--threads", threads,
                     "--output_csv", csv.string(), "--save_logits", logits.string(), "--output_json", json.string()});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const CsvTable table(csv);
    LogitsFileReader file(logits);
    ASSERT_EQ(table.rows().size(), 18U);
    std::size_t said = 0;
    for (std::size_t i = 0; i < 18; ++i) {
      const StoredLogits trial = file.read(file.labels()[i]);  // sessions and trials sort by their names
      const auto candidates = language_model.decode({trial.values.data(), trial.steps, trial.classes}, {});
      const std::string& sentence = table.rows()[i].fields[table.column("pred_sentence")];
      EXPECT_EQ(sentence, candidates.empty() ? "" : candidates.front().sentence);
      said += sentence.empty() ? 0 : 1;
    }
    EXPECT_GE(said, 10U);
    if (first.empty()) first = bytes_of(csv);
    EXPECT_EQ(bytes_of(csv), first);
    EXPECT_EQ(json_in(json)["language_model"], "wfst:case1");
  }
}

TEST(Smoke, StreamingSaysWordsAsTheyCome) {
  const ScratchFolder scratch;
  const fs::path csv = scratch / "r.csv";
  const fs::path lm_dir = std::string(BRAINQUANT_FIXTURES) + "/wfst/case1";
  const ProgramResult run =
      evaluate_in(scratch, kModel,
                  {"--streaming", "--lm", "wfst", "--lm_dir", lm_dir.string(), "--lm_preset", "published",
                   "--output_csv", csv.string(), "--save_logits", (scratch / "logits.h5").string()});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const CsvTable table(csv);
  LogitsFileReader logits(scratch / "logits.h5");
  WfstLanguageModel language_model(lm_dir, WfstOptions::preset("published"));
  std::map<std::string, std::string> sentences;  // of each trial, what was said last
  std::size_t on_the_way = 0;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(" s : ") != std::string::npos ? line.find(" s : ") : line.find(" s = ");
    if (line.rfind("t15.", 0) != 0 || at == std::string::npos) continue;
    if (line[at + 3] == '=') {
      sentences[line.substr(0, line.find(' '))] = line.substr(at + 5);
    } else {
      on_the_way += line.size() > at + 5 ? 1 : 0;
    }
  }
  EXPECT_EQ(sentences.size(), 17U) << run.out;  // one trial is too short for a step
  std::size_t said = 0;
  for (std::size_t i = 0; i < 18; ++i) {
    const std::string& sentence = table.rows()[i].fields[table.column("pred_sentence")];
    const std::string& label = logits.labels().at(i);
    const StoredLogits trial = logits.read(label);
    const auto candidates = language_model.decode({trial.values.data(), trial.steps, trial.classes}, {});
    EXPECT_EQ(sentence, candidates.empty() ? "" : candidates.front().sentence) << label;
    EXPECT_EQ(sentences[label], sentence) << label;
    said += sentence.empty() ? 0 : 1;
  }
  EXPECT_GE(said, 10U);
  EXPECT_GE(on_the_way, said);
}

TEST(Smoke, ComparisonOfAllMethodsAndItsResume) {
  const ScratchFolder scratch;
  const std::vector<std::string> flags =
      std::vector<std::string>{"--model_path", kModel, "--output_dir", scratch.path().string(), "--skip_lm",
                               "--threads",    "1"} +
      data_flags();
  const ProgramResult run = run_program("test_all_quantization_methods", flags, scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("P(PER better)"), std::string::npos) << run.out;
  const fs::path results = scratch / "quantization_results";
  const nlohmann::json comparison = json_in(results / "comparison.json");
  ASSERT_EQ(comparison["methods"].size(), 5U);
  EXPECT_NEAR(comparison["methods"][0]["evaluation"]["per"]["total"]["rate"], expected_rate("distance"), 1e-9);
  for (std::size_t m = 1; m < 5; ++m) {
    const nlohmann::json& method = comparison["methods"][m];
    const std::string name = method["method"];
    EXPECT_TRUE(fs::exists(scratch.path() / ("quantized_" + name) / "checkpoint" / "quantized_model.pt")) << name;
    const double sqnr = method["logits"]["sqnr_db"];
    // 8 bits over the range of a few standard deviations give some 40 dB; 11 bits of mantissa some 70.
    const bool half = name == "dynamic_float16";
    EXPECT_GT(sqnr, half ? 60 : 30) << name;
    EXPECT_LT(sqnr, half ? 80 : 55) << name;
    EXPECT_LE(method["per_difference"]["low"], method["per_difference"]["points"]);
    std::int64_t parameters = 0;
    for (const auto& tensor : method["tensors"]) parameters += tensor["parameters"].get<std::int64_t>();
    EXPECT_EQ(4 * parameters, method["evaluation"]["model"]["fp32_bytes"].get<std::int64_t>()) << name;
    EXPECT_GE(method["per_difference"]["high"], method["per_difference"]["points"]);
    EXPECT_LE(method["per_difference"]["over_sessions"]["low"], method["per_difference"]["points"]);
    EXPECT_EQ(method["metrics"]["per_verdict"], method["per_difference"]["verdict"]);
  }
  EXPECT_TRUE(fs::exists(results / "comparison.md"));
  EXPECT_TRUE(fs::exists(results / "comparison.csv"));

  const auto reused = [&] {
    const nlohmann::json again = json_in(results / "comparison.json");
    std::vector<bool> flags_of_methods;
    for (const auto& method : again["methods"]) flags_of_methods.push_back(method.value("reused", false));
    return flags_of_methods;
  };
  ASSERT_EQ(run_program("test_all_quantization_methods", flags, scratch.path()).exit_code, 0);
  EXPECT_EQ(reused(), (std::vector<bool>(5, true)));
  // One method's file is damaged: that method alone is done again.
  write_bytes(scratch.path() / "quantized_static_qint8/checkpoint/quantized_model.pt", "damaged");
  ASSERT_EQ(run_program("test_all_quantization_methods", flags, scratch.path()).exit_code, 0);
  EXPECT_EQ(reused(), (std::vector<bool>{true, true, true, false, true}));
  // Another option of the static methods: those two are done again.
  ASSERT_EQ(run_program("test_all_quantization_methods", flags + std::vector<std::string>{"--observer", "percentile"},
                        scratch.path())
                .exit_code,
            0);
  EXPECT_EQ(reused(), (std::vector<bool>{true, true, true, false, false}));
}

TEST(Smoke, ExperimentIsOneLineAndJson) {
  const ScratchFolder scratch;
  const ProgramResult run =
      run_program("run_quantization_experiment",
                  std::vector<std::string>{"--model_path", kModel, "--output_dir", scratch.path().string(), "--skip_lm",
                                           "--quantization_type", "static"} +
                      data_flags(),
                  scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.rfind("static_qint8: ", 0), 0U) << run.out;
  const nlohmann::json json = json_in(scratch.path() / "quantization_results/experiment_static_qint8_val.json");
  EXPECT_EQ(json["schema"], "brainquant/experiment");
  EXPECT_EQ(json["evaluation"]["model"]["method"], "static_qint8");
}

TEST(Smoke, AFailedMethodDoesNotStopTheOthers) {
  const ScratchFolder scratch;
  // Without train files only the static methods can't be made.
  fs::copy(study_folder() / "data", scratch / "data", fs::copy_options::recursive);
  for (const auto& session : fs::directory_iterator(scratch / "data")) fs::remove(session.path() / "data_train.hdf5");
  const ProgramResult run =
      run_program("test_all_quantization_methods",
                  {"--model_path", kModel, "--output_dir", scratch.path().string(), "--skip_lm", "--data_dir",
                   (scratch / "data").string(), "--csv_path", (study_folder() / "corpora.csv").string()},
                  scratch.path());
  EXPECT_EQ(run.exit_code, 1) << run.err;
  const nlohmann::json comparison = json_in(scratch / "quantization_results/comparison.json");
  std::vector<bool> succeeded;
  for (const auto& method : comparison["methods"]) succeeded.push_back(method["succeeded"]);
  EXPECT_EQ(succeeded, (std::vector<bool>{true, true, true, false, false}));
  EXPECT_NE(run.out.find("data_train.hdf5"), std::string::npos) << run.out;
}

}  // namespace
}  // namespace brainquant::testing
