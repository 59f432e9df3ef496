// What the programs measure to choose bits: each matrix's cost, and the smallest model within a budget of errors.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "apps/program.h"
#include "apps/study.h"

namespace brainquant::testing {
namespace {

namespace fs = std::filesystem;
using Flags = std::vector<std::string>;

const std::string kModel = (study_folder() / "model").string();
const std::string kGraph = std::string(BRAINQUANT_FIXTURES) + "/wfst/case5";

ProgramResult quantized(const fs::path& output, const Flags& more, const ScratchFolder& scratch) {
  return run_program("quantize_model",
                     Flags{"--model_path", kModel, "--output_path", output.string()} + data_flags() + more,
                     scratch.path());
}

void make_mixed(const fs::path& output, const std::string& rule, const ScratchFolder& scratch) {
  const ProgramResult run = quantized(output, {"--dtype", "mixed", "--bits", rule}, scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
}

ProgramResult sensitivity_in(const ScratchFolder& scratch, const Flags& more) {
  return run_program(
      "test_all_quantization_methods",
      Flags{"--model_path", kModel, "--output_dir", (scratch / "out").string(), "--methods", "dynamic_qint8"} +
          data_flags() + more,
      scratch.path());
}

TEST(Sensitivity, IsPyTorchsAndGoesOnWhereItStopped) {
  const ScratchFolder scratch;
  make_mixed(scratch / "8" / "m.pt", "*=8", scratch);
  make_mixed(scratch / "4" / "m.pt", "*=4", scratch);
  const fs::path results = scratch / "out" / "quantization_results";
  const ProgramResult in_8 = sensitivity_in(scratch, {"--skip_lm", "--sensitivity", "8"});
  ASSERT_EQ(in_8.exit_code, 0) << in_8.err;
  // A finished case is taken from the record, whatever it says; the rest is measured.
  nlohmann::json state = json_in(results / "state" / "sensitivity.json");
  ASSERT_EQ(state["cases"].size(), 13U);  // six groups alone and left out, and all
  const nlohmann::json kept = state["cases"][1];
  state["cases"][1]["per"] = 77.0;
  std::ofstream(results / "state" / "sensitivity.json") << state.dump();
  const ProgramResult both = sensitivity_in(scratch, {"--skip_lm", "--sensitivity"});
  ASSERT_EQ(both.exit_code, 0) << both.err;
  nlohmann::json found = json_in(results / "sensitivity.json");
  ASSERT_EQ(found["cases"].size(), 26U);
  EXPECT_EQ(found["cases"][1]["per"], 77.0);
  found["cases"][1] = kept;
  std::ofstream(scratch / "sensitivity.json") << found.dump();
  const std::string check = fmt::format(
      "'{}' '{}' '{}' '{}' '{}' '{}'", BRAINQUANT_PYTHON, BRAINQUANT_CHECK_SENSITIVITY, study_folder().string(),
      (scratch / "8" / "m.pt").string(), (scratch / "4" / "m.pt").string(), (scratch / "sensitivity.json").string());
  EXPECT_EQ(std::system(check.c_str()), 0);
  EXPECT_NE(both.out.find("in 4 bits"), std::string::npos) << both.out;
  EXPECT_EQ(bytes_of(results / "sensitivity.csv").find("matrix,bits,part,"), 0U);

  // Words too: another key, so that nothing is taken over.
  const ProgramResult words =
      sensitivity_in(scratch, {"--lm", "wfst", "--lm_dir", kGraph, "--sensitivity", "4", "--sensitivity_trials", "3"});
  ASSERT_EQ(words.exit_code, 0) << words.err;
  const nlohmann::json with_words = json_in(results / "sensitivity.json");
  EXPECT_EQ(with_words["trials"].size(), 3U);
  EXPECT_TRUE(with_words["fp32_wer"].is_number());
  for (const auto& one : with_words["cases"]) EXPECT_TRUE(one["wer_difference"]["points"].is_number());

  const ProgramResult wrong = sensitivity_in(scratch, {"--skip_lm", "--sensitivity", "7"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("--sensitivity: found '7'"), std::string::npos) << wrong.err;
}

TEST(Sensitivity, HasTheScalesThatWereTunedForFp32) {
  const ScratchFolder scratch;
  const Flags words = {"--lm",
                       "wfst",
                       "--lm_dir",
                       std::string(BRAINQUANT_FIXTURES) + "/wfst/case1",
                       "--lm_preset",
                       "published",
                       "--sensitivity",
                       "8",
                       "--sensitivity_trials",
                       "6"};
  const auto wer_with = [&](const Flags& scales) {
    const ProgramResult run = sensitivity_in(scratch, words + scales);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return json_in(scratch / "out" / "quantization_results" / "sensitivity.json")["fp32_wer"].get<double>();
  };
  const double tuned = wer_with({"--tune_lm", "6"});
  const fs::path fp32 = scratch / "fp32.json";
  fs::copy_file(scratch / "out" / "quantization_results" / "fp32_val.json", fp32);
  EXPECT_EQ(wer_with({"--lm_scales", fp32.string()}), tuned);
  std::ofstream(scratch / "far.json") << R"({"acoustic_scale": 3.0, "blank_penalty": 700.0})";
  const double far = wer_with({"--lm_scales", (scratch / "far.json").string()});
  EXPECT_EQ(far, wer_with({"--acoustic_scale", "3", "--blank_penalty", "700"}));
  EXPECT_NE(far, tuned);
}

Flags dynamic_mixed(const Flags& more) { return Flags{"--dtype", "mixed"} + more; }

TEST(Budget, TheSmallestModelWithinItIsTakenAndIsTheOneMadeByHand) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "q" / "m.pt";
  const ProgramResult run =
      quantized(output, dynamic_mixed({"--max_per_increase", "100", "--budget_trials", "12"}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const nlohmann::json record = json_in(output.string() + ".budget.json");
  EXPECT_EQ(record["measured"]["trials"].size(), 12U);
  EXPECT_EQ(record["choice"]["taken"]["matrices_in_4_bits"], 6);
  EXPECT_EQ(record["measured"]["steps"].size(), 1U);  // nothing larger was tried
  double last = 0;
  for (const std::string name : record["choice"]["order"]) {
    const double per_byte = record["measured"]["costs"][name]["noise_per_byte"];
    EXPECT_GE(per_byte, last) << name;
    last = per_byte;
  }
  EXPECT_GT(last, 0);
  EXPECT_EQ(record["choice"]["bits"].size(), 7U);
  // The model that was tried is the one of these rules, and so is the file.
  std::string rules;
  for (const std::string rule : record["choice"]["bits"]) rules += (rules.empty() ? "" : ",") + rule;
  const ProgramResult dry =
      quantized(scratch / "same" / "m.pt", {"--dtype", "mixed", "--bits", rules, "--dry_run"}, scratch);
  const auto bytes = record["choice"]["taken"]["bytes"].get<std::int64_t>();
  EXPECT_NE(dry.out.find(fmt::format("dry run, after: {} bytes", bytes)), std::string::npos) << bytes << dry.out;
  make_mixed(scratch / "same" / "m.pt", rules, scratch);
  EXPECT_EQ(bytes_of(output), bytes_of(scratch / "same" / "m.pt"));
}

TEST(Budget, GoesOnFromItsRecordAndSaysWhenEvenEightBitsMissIt) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "q" / "m.pt";
  const fs::path record = output.string() + ".budget.json";
  const Flags flags = dynamic_mixed({"--max_per_increase", "100", "--budget_trials", "12"});
  ASSERT_EQ(quantized(output, flags, scratch).exit_code, 0);
  // As if every number of matrices in 4 bits had been measured and cost 3 points, all in 8 bits 1.5.
  nlohmann::json json = json_in(record);
  const nlohmann::json step = json["measured"]["steps"][0];
  json["measured"]["steps"].clear();
  for (int matrices = 6; matrices >= 0; --matrices) {
    nlohmann::json other = step;
    other["matrices_in_4_bits"] = matrices;
    other["per_difference"] = {{"points", matrices == 0 ? 1.5 : 3.0}, {"low", -0.5}, {"high", 3.5}};
    json["measured"]["steps"].push_back(other);
  }
  std::ofstream(record) << json.dump();
  const auto run_with = [&](const std::string& points) {
    return quantized(output, dynamic_mixed({"--max_per_increase", points, "--budget_trials", "12", "--force"}),
                     scratch);
  };
  const ProgramResult missed = run_with("1");
  ASSERT_EQ(missed.exit_code, 0) << missed.err;
  EXPECT_NE(missed.out.find("above the budget of 1 by 0.50, with every matrix in 8 bits"), std::string::npos)
      << missed.out;
  // 12 trials, an interval of 4 points, twice the budget being 2: 12 * (4 / 2)^2.
  EXPECT_NE(missed.out.find("about 48 would"), std::string::npos) << missed.out;
  EXPECT_EQ(json_in(record)["choice"]["bits"], nlohmann::json::array({"*=8"}));
  EXPECT_FALSE(json_in(record)["choice"]["within_budget"]);
  make_mixed(scratch / "8" / "m.pt", "*=8", scratch);
  EXPECT_EQ(bytes_of(output), bytes_of(scratch / "8" / "m.pt"));
  const ProgramResult enough = run_with("3");
  EXPECT_EQ(enough.out.find(" would"), std::string::npos) << enough.out;
  EXPECT_EQ(json_in(record)["choice"]["taken"]["matrices_in_4_bits"], 6);
  // Other trials: another key.
  const ProgramResult anew =
      quantized(output, dynamic_mixed({"--max_per_increase", "100", "--budget_trials", "7", "--force"}), scratch);
  ASSERT_EQ(anew.exit_code, 0) << anew.err;
  EXPECT_EQ(json_in(record)["measured"]["steps"].size(), 1U);
}

TEST(Budget, AnotherCheckpointsRecordAndOtherFilesAreNotReplaced) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "q" / "m.pt";
  const fs::path record = output.string() + ".budget.json";
  const Flags flags = dynamic_mixed({"--max_per_increase", "100", "--budget_trials", "12"});
  fs::create_directories(scratch / "q");
  for (const std::string theirs : {"notes of mine", R"({"schema": "brainquant/bits_budget", "schema_version": 1})"}) {
    std::ofstream(record) << theirs;
    const ProgramResult run = quantized(output, flags, scratch);
    EXPECT_EQ(run.exit_code, 1) << theirs;
    EXPECT_NE(run.err.find("already exists and is no record of a search for bits"), std::string::npos) << run.err;
    EXPECT_EQ(bytes_of(record), theirs);
  }
  ASSERT_EQ(quantized(output, flags + Flags{"--force"}, scratch).exit_code, 0);
  nlohmann::json json = json_in(record);
  ASSERT_EQ(json["key"].count("checkpoint_sha256"), 1U);
  json["key"]["checkpoint_sha256"] = "another";
  std::ofstream(record) << json.dump();
  const std::string theirs = bytes_of(record);
  const ProgramResult run = quantized(output, flags, scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("already exists and holds another checkpoint's search"), std::string::npos) << run.err;
  EXPECT_EQ(bytes_of(record), theirs);
}

TEST(Budget, ScalesOfAFileMakeTheWords) {
  const ScratchFolder scratch;
  const auto search_with = [&](const Flags& scales) {
    const ProgramResult run = quantized(
        scratch / "m.pt",
        dynamic_mixed({"--max_wer_increase", "100", "--budget_trials", "12", "--lm", "wfst", "--lm_dir",
                       std::string(BRAINQUANT_FIXTURES) + "/wfst/case1", "--lm_preset", "published", "--force"}) +
            scales,
        scratch);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return json_in((scratch / "m.pt").string() + ".budget.json")["measured"];
  };
  std::ofstream(scratch / "scales.json") << R"({"acoustic_scale": 3.0, "blank_penalty": 700.0})";
  const nlohmann::json by_default = search_with({});
  const nlohmann::json given = search_with({"--acoustic_scale", "3", "--blank_penalty", "700"});
  const nlohmann::json read = search_with({"--lm_scales", (scratch / "scales.json").string()});
  EXPECT_EQ(read["fp32_wer"], given["fp32_wer"]);
  EXPECT_EQ(read["steps"], given["steps"]);
  EXPECT_NE(read["fp32_wer"], by_default["fp32_wer"]);
}

TEST(Budget, TrialsThatCalibrateAreLeftOut) {
  const ScratchFolder scratch;
  const fs::path output = scratch / "q" / "m.pt";
  const Flags flags = {"--quantization_type",
                       "static_per_channel",
                       "--dtype",
                       "mixed",
                       "--max_wer_increase",
                       "100",
                       "--lm",
                       "wfst",
                       "--lm_dir",
                       kGraph};
  const ProgramResult none_left = quantized(output, flags, scratch);
  EXPECT_EQ(none_left.exit_code, 2);
  EXPECT_NE(none_left.err.find("calibration uses all 20 trials of the train files"), std::string::npos)
      << none_left.err;
  const ProgramResult run = run_program(
      "run_quantization_experiment",
      Flags{"--model_path", kModel, "--output_dir", (scratch / "out").string(), "--calibration_samples", "9"} +
          data_flags() + flags,
      scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("budget: 400 trials were asked for, the train files have 11 besides those that calibrate"),
            std::string::npos)
      << run.err;
  const nlohmann::json record =
      json_in(scratch / "out" / "quantization_results" / "budget_static_per_channel_mixed-n9.json");
  EXPECT_TRUE(record["choice"]["taken"]["wer_difference"]["points"].is_number());
  std::set<std::string> measured(record["measured"]["trials"].begin(), record["measured"]["trials"].end());
  EXPECT_EQ(measured.size(), 11U);
  // The evaluation's JSON names the trials that calibrated the file.
  std::size_t calibrating = 0;
  for (const auto& entry : fs::directory_iterator(scratch / "out" / "quantization_results")) {
    if (entry.path().filename().string().rfind("static_per_channel_mixed", 0) != 0) continue;
    if (entry.path().extension() != ".json") continue;
    const nlohmann::json evaluation = json_in(entry.path());
    for (const std::string trial : evaluation["model"]["quantization"]["calibration_trials"]) {
      EXPECT_FALSE(measured.contains(trial)) << trial;
      ++calibrating;
    }
  }
  EXPECT_EQ(calibrating, 9U);
}

TEST(Budget, WrongUsageIsNamed) {
  const ScratchFolder scratch;
  const std::vector<std::pair<Flags, std::string>> cases = {
      {{"--max_per_increase", "0.2"}, "--max_per_increase requires --dtype mixed"},
      {dynamic_mixed({"--max_per_increase", "-1"}), "--max_per_increase: found -1, expected 0 to 100 points"},
      {dynamic_mixed({"--max_per_increase", "nan"}), "--max_per_increase"},
      {dynamic_mixed({"--max_wer_increase", "0.2"}), "--max_wer_increase requires --lm wfst and --lm_dir"},
      {dynamic_mixed({"--max_per_increase", "1", "--bits", "*=4"}), "chooses the bits: leave out --bits"},
      {dynamic_mixed({"--max_per_increase", "1", "--budget_trials", "0"}), "--budget_trials: found 0"},
      {dynamic_mixed({"--max_per_increase", "1", "--dry_run"}), "--dry_run measures nothing"},
      {dynamic_mixed({}), "or a budget that chooses them"}};
  for (const auto& [flags, expected] : cases) {
    const ProgramResult run = quantized(scratch / "m.pt", flags, scratch);
    EXPECT_EQ(run.exit_code, 2) << expected << "\n" << run.err;
    ASSERT_EQ(run.errors().size(), 1U) << run.err;
    EXPECT_NE(run.errors()[0].find(expected), std::string::npos) << run.errors()[0];
  }
  EXPECT_FALSE(fs::exists(scratch / "m.pt"));
  // Of no use without a budget: accepted and named.
  const ProgramResult run =
      quantized(scratch / "m.pt", {"--lm", "wfst", "--lm_dir", kGraph, "--budget_trials", "9"}, scratch);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("does not use --data_dir, --csv_path, --budget_trials, --lm, --lm_dir"), std::string::npos)
      << run.err;
}

}  // namespace
}  // namespace brainquant::testing
