// No result under another's label, no old work taken over wrongly, no file replaced that was not ours.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <thread>

#include "apps/program.h"
#include "apps/study.h"

namespace brainquant::testing {
namespace {

namespace fs = std::filesystem;

using Flags = std::vector<std::string>;

const std::string kModel = (study_folder() / "model").string();

/// A study that may be changed: the small study's model and data, copied.
class OwnStudy {
 public:
  OwnStudy() {
    fs::create_directories(folder_ / "models");
    fs::copy(study_folder() / "model", folder_ / "models/seed1", fs::copy_options::recursive);
    fs::copy(study_folder() / "data", folder_ / "data", fs::copy_options::recursive);
    fs::copy(study_folder() / "corpora.csv", folder_ / "corpora.csv");
  }
  fs::path operator/(const std::string& name) const { return folder_ / name; }
  Flags data() const {
    return {"--data_dir", (folder_ / "data").string(), "--csv_path", (folder_ / "corpora.csv").string(), "--gpu_number",
            "-1"};
  }
  Flags experiment(const std::string& model = "models/seed1") const {
    return Flags{"--model_path",
                 (folder_ / model).string(),
                 "--output_dir",
                 (folder_ / "out").string(),
                 "--skip_lm",
                 "--threads",
                 "1"} +
           data();
  }
  ProgramResult run(const std::string& program, const Flags& flags) const {
    return run_program(program, flags, folder_.path());
  }

 private:
  ScratchFolder folder_;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void replace_in(const fs::path& path, const std::string& from, const std::string& to) {
  std::string text = bytes_of(path);
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << path << " lacks " << from;
  write_bytes(path, text.replace(at, from.size(), to));
}

void touch(const fs::path& path) { fs::last_write_time(path, fs::last_write_time(path) + std::chrono::seconds(5)); }

// ---- variants, and runs side by side ----

TEST(Variants, HaveFoldersAndResultsOfTheirOwn) {
  const OwnStudy study;
  const Flags histogram = study.experiment() + Flags{"--quantization_type", "static", "--observer", "histogram"};
  ASSERT_EQ(
      study.run("run_quantization_experiment", study.experiment() + Flags{"--quantization_type", "static"}).exit_code,
      0);
  const fs::path by_default = study / "out/quantized_static_qint8/checkpoint/quantized_model.pt";
  const std::string bytes = bytes_of(by_default);
  const std::string csv = bytes_of(study / "out/quantization_results/static_qint8_val.csv");
  const ProgramResult run = study.run("run_quantization_experiment", histogram);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.rfind("static_qint8-histogram: ", 0), 0U) << run.out;
  EXPECT_EQ(bytes_of(by_default), bytes);
  EXPECT_EQ(bytes_of(study / "out/quantization_results/static_qint8_val.csv"), csv);
  EXPECT_TRUE(fs::exists(study / "out/quantized_static_qint8-histogram/checkpoint/quantized_model.pt"));
  const nlohmann::json json = json_in(study / "out/quantization_results/experiment_static_qint8-histogram_val.json");
  EXPECT_EQ(json["method"], "static_qint8-histogram");
  EXPECT_EQ(json["evaluation"]["model"]["quantization"]["options"]["observer"], "histogram");
  EXPECT_GT(json["evaluation"]["model"]["quantization"]["calibration_trials"].size(), 0U);
  EXPECT_EQ(json["evaluation"]["model"]["quantization"]["calibration_sha256"].get<std::string>().size(), 64U);
  EXPECT_EQ(json["evaluation"]["options"]["batch_size"], 8);
}

TEST(Variants, ASelectionOfTrialsDoesNotReplaceAllTrials) {
  const OwnStudy study;
  ASSERT_EQ(study.run("run_quantization_experiment", study.experiment()).exit_code, 0);
  const std::string csv = bytes_of(study / "out/quantization_results/dynamic_qint8_val.csv");
  ASSERT_EQ(study.run("run_quantization_experiment", study.experiment() + Flags{"--max_trials", "2"}).exit_code, 0);
  EXPECT_EQ(bytes_of(study / "out/quantization_results/dynamic_qint8_val.csv"), csv);
  EXPECT_TRUE(fs::exists(study / "out/quantization_results/dynamic_qint8_val-first2.csv"));
}

TEST(SideBySide, TheSecondRunWaitsAndReusesOrFailsWithNoWait) {
  const OwnStudy study;
  const ScratchFolder first_scratch;
  RunningProgram first("run_quantization_experiment", study.experiment(), first_scratch.path());
  const fs::path lock = study / "out/quantization_results/locks/dynamic_qint8.lock";
  // Until it has said who it is.
  while (!fs::exists(lock) || bytes_of(lock).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  first.send(SIGSTOP);
  const ProgramResult refused = study.run("run_quantization_experiment", study.experiment() + Flags{"--no_wait"});
  EXPECT_EQ(refused.exit_code, 1);
  ASSERT_EQ(refused.errors().size(), 1U) << refused.err;
  EXPECT_TRUE(contains(refused.errors()[0], "process " + std::to_string(first.pid()) + " on ")) << refused.errors()[0];
  EXPECT_TRUE(contains(refused.errors()[0], "since ")) << refused.errors()[0];
  RunningProgram second("run_quantization_experiment", study.experiment(), study / "");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  first.send(SIGCONT);
  EXPECT_EQ(first.wait().exit_code, 0);
  const ProgramResult waited = second.wait();
  EXPECT_EQ(waited.exit_code, 0) << waited.err;
  EXPECT_TRUE(contains(waited.err, "waiting for it")) << waited.err;
  EXPECT_TRUE(contains(waited.err, "finished by an earlier run")) << waited.err;
}

// ---- whose results ----

TEST(Ownership, AnotherCheckpointIsRefusedWithBothNames) {
  const OwnStudy study;
  fs::copy(study / "models/seed1", study / "models/seed2", fs::copy_options::recursive);
  const auto flags = [&](const std::string& model) {  // the default output folder, which both share
    return Flags{"--model_path", (study / model).string(), "--skip_lm", "--threads", "1"} + study.data();
  };
  ASSERT_EQ(study.run("run_quantization_experiment", flags("models/seed1")).exit_code, 0);
  const fs::path csv = study / "models/quantization_results/dynamic_qint8_val.csv";
  const auto written = fs::last_write_time(csv);
  for (const std::string program : {"run_quantization_experiment", "test_all_quantization_methods"}) {
    const ProgramResult refused = study.run(program, flags("models/seed2"));
    EXPECT_EQ(refused.exit_code, 1) << refused.err;
    ASSERT_EQ(refused.errors().size(), 1U) << refused.err;
    for (const std::string part : {"seed1", "seed2", "--output_dir", "--force"}) {
      EXPECT_TRUE(contains(refused.errors()[0], part)) << refused.errors()[0];
    }
  }
  EXPECT_EQ(fs::last_write_time(csv), written);
  EXPECT_EQ(study.run("run_quantization_experiment", flags("models/seed2") + Flags{"--force"}).exit_code, 0);
  EXPECT_NE(fs::last_write_time(csv), written);
  EXPECT_EQ(study.run("run_quantization_experiment", flags("models/seed1")).exit_code, 1);
}

TEST(Ownership, AFileThatNoExperimentMadeIsNotReplaced) {
  const OwnStudy study;
  const fs::path model = study / "out/quantized_dynamic_qint8/checkpoint/quantized_model.pt";
  ASSERT_EQ(study
                .run("quantize_model", {"--model_path", (study / "models/seed1").string(), "--output_path",
                                        model.string(), "--dtype", "float16"})
                .exit_code,
            0);
  const std::string bytes = bytes_of(model);
  const ProgramResult refused = study.run("run_quantization_experiment", study.experiment());
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(contains(refused.err, "float16")) << refused.err;
  EXPECT_EQ(bytes_of(model), bytes);
  EXPECT_EQ(study.run("run_quantization_experiment", study.experiment() + Flags{"--force"}).exit_code, 0);
}

TEST(Ownership, AMovedStudyKeepsItsResults) {
  const OwnStudy study;
  const auto flags = [&](const std::string& below) {
    return Flags{"--model_path", (study / (below + "/seed1")).string(), "--skip_lm", "--threads", "1"} + study.data();
  };
  ASSERT_EQ(study.run("run_quantization_experiment", flags("models")).exit_code, 0);
  fs::rename(study / "models", study / "archive");
  const ProgramResult moved = study.run("run_quantization_experiment", flags("archive"));
  EXPECT_EQ(moved.exit_code, 0) << moved.err;
  EXPECT_TRUE(contains(moved.err, "finished by an earlier run")) << moved.err;
}

TEST(Ownership, ResultsWithWordsSurviveARunWithoutALanguageModel) {
  const OwnStudy study;
  const Flags with_words = Flags{"--model_path", (study / "models/seed1").string(),
                                 "--output_dir", (study / "out").string(),
                                 "--threads",    "1",
                                 "--lm_dir",     std::string(BRAINQUANT_FIXTURES) + "/wfst/case1"} +
                           study.data();
  const ProgramResult first = study.run("run_quantization_experiment", with_words);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const std::string csv = bytes_of(study / "out/quantization_results/dynamic_qint8_val.csv");
  EXPECT_TRUE(contains(csv, "pred_sentence"));
  const ProgramResult second = study.run("run_quantization_experiment", study.experiment());
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_TRUE(contains(second.err, "finished by an earlier run")) << second.err;
  EXPECT_EQ(bytes_of(study / "out/quantization_results/dynamic_qint8_val.csv"), csv);
  EXPECT_TRUE(contains(second.out, "WER")) << second.out;
}

TEST(Ownership, UnusedLanguageModelOptionsAreNamed) {
  const OwnStudy study;
  const ProgramResult run =
      study.run("run_quantization_experiment", study.experiment() + Flags{"--lm_dir", "somewhere"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(contains(run.err, "not used because of --skip_lm: --lm_dir")) << run.err;
}

// ---- the files of one evaluation ----

TEST(Evaluation, DoesNotReplaceAFileThatIsThere) {
  const OwnStudy study;
  const Flags base = Flags{"--model_path", (study / "models/seed1").string(), "--skip_lm"} + study.data();
  for (const std::string flag : {"--output_csv", "--output_json", "--output_trials", "--save_logits"}) {
    const fs::path path = study / "mine";
    write_bytes(path, "160 trials");
    const ProgramResult refused = study.run("evaluate_quantized_model", base + Flags{flag, path.string()});
    EXPECT_EQ(refused.exit_code, 1) << flag;
    ASSERT_EQ(refused.errors().size(), 1U) << refused.err;
    EXPECT_TRUE(contains(refused.errors()[0], path.string())) << refused.errors()[0];
    EXPECT_TRUE(contains(refused.errors()[0], "--force")) << refused.errors()[0];
    EXPECT_EQ(bytes_of(path), "160 trials");
    const ProgramResult forced = study.run("evaluate_quantized_model", base + Flags{flag, path.string(), "--force"});
    EXPECT_EQ(forced.exit_code, 0) << forced.err;
    EXPECT_NE(bytes_of(path), "160 trials");
    EXPECT_FALSE(fs::exists(path.string() + ".partial"));
    EXPECT_FALSE(fs::exists(path.string() + ".partial.lock"));
  }
}

TEST(Evaluation, OutputsAndInputsMayNotShareAPath) {
  const OwnStudy study;
  const std::string model = (study / "models/seed1").string();
  const fs::path path = study / "mine";
  const fs::path csv = study.data()[3];
  const std::string table = bytes_of(csv);
  const auto refused = [&](const Flags& flags, const std::string& names) {
    const ProgramResult run = study.run("evaluate_quantized_model",
                                        Flags{"--model_path", model, "--skip_lm", "--force"} + study.data() + flags);
    EXPECT_EQ(run.exit_code, 1) << names;
    ASSERT_EQ(run.errors().size(), 1U) << run.err;
    EXPECT_TRUE(contains(run.errors()[0], names)) << run.errors()[0];
  };
  refused({"--output_csv", path.string(), "--output_trials", (study / "./mine").string()},
          "--output_csv and --output_trials");
  refused({"--output_trials", path.string(), "--save_logits", path.string()}, "--output_trials and --save_logits");
  EXPECT_FALSE(fs::exists(path));
  refused({"--output_trials", csv.string()}, "--csv_path and --output_trials");
  EXPECT_EQ(bytes_of(csv), table);
}

TEST(Evaluation, AFifoGetsTheResultsAndStaysAFifo) {
  const OwnStudy study;
  const fs::path fifo = study / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = bytes_of(fifo); });
  const ProgramResult run =
      study.run("evaluate_quantized_model",
                Flags{"--model_path", (study / "models/seed1").string(), "--skip_lm", "--output_csv", fifo.string()} +
                    study.data());
  if (run.exit_code != 0) write_bytes(fifo, "");  // let the reader go
  reader.join();
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(read.rfind("session,block,trial,pred_phonemes", 0), 0U) << read.substr(0, 60);
  EXPECT_TRUE(fs::is_fifo(fifo));
}

TEST(Quantization, AFifoGetsTheFileAndNothingLiesBesideIt) {
  const OwnStudy study;
  fs::create_directories(study / "pipes");
  const fs::path fifo = study / "pipes/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = bytes_of(fifo); });
  const Flags flags = {"--model_path", (study / "models/seed1").string(), "--output_path"};
  const ProgramResult run = study.run("quantize_model", flags + Flags{fifo.string()});
  if (run.exit_code != 0) write_bytes(fifo, "");
  reader.join();
  ASSERT_EQ(run.exit_code, 0) << run.err;
  ASSERT_EQ(study.run("quantize_model", flags + Flags{(study / "q.pt").string()}).exit_code, 0);
  EXPECT_EQ(read, bytes_of(study / "q.pt"));
  EXPECT_TRUE(fs::is_fifo(fifo));
  EXPECT_EQ(std::distance(fs::directory_iterator(study / "pipes"), fs::directory_iterator()), 1);
}

// Two jobs at once for one output: the second finds a file that is whole, and keeps or refuses it.
TEST(Quantization, TwoJobsForOneOutputDoNotReplaceEachOther) {
  const OwnStudy study;
  const ScratchFolder scratch;
  const Flags flags = {"--model_path", (study / "models/seed1").string(), "--output_path", (study / "q.pt").string()};
  RunningProgram first("quantize_model", flags, scratch.path());
  while (!fs::exists(study / "q.pt.lock")) std::this_thread::yield();
  const ProgramResult second = study.run("quantize_model", flags + Flags{"--dtype", "float16"});
  EXPECT_EQ(first.wait().exit_code, 0);
  EXPECT_EQ(second.exit_code, 1) << second.err;
  EXPECT_TRUE(contains(second.err, "dtype was qint8, is float16")) << second.err;
}

// ---- the run key ----

struct Change {
  std::string field;
  std::function<void(const OwnStudy&)> of_the_study;
  Flags flags = {};
  const char* variable = nullptr;  // of the environment, to "portable"
};

// Every field that a user can change is seen to have the work done again, and named.
TEST(RunKeyOfAnExperiment, AChangedFieldMeansThatTheWorkIsDoneAgain) {
  const OwnStudy study;
  const Flags base = study.experiment() + Flags{"--quantization_type", "static", "--calibration_samples", "4"};
  ASSERT_EQ(study.run("run_quantization_experiment", base).exit_code, 0);
  const fs::path seed1 = study / "models/seed1/checkpoint";
  const std::vector<Change> changes = {
      {"threads", {}, {"--threads", "2"}},
      {"batch_size", {}, {"--batch_size", "3"}},
      {"engine", {}, {"--engine", "reference"}},
      {"instructions", {}, {"--kernel", "portable"}},
      {"instructions", {}, {}, "BRAINQUANT_KERNEL"},
      {"language_model", {}, {"--lm_dir", std::string(BRAINQUANT_FIXTURES) + "/wfst/case1"}},
      {"args_sha256", [&](const OwnStudy&) { write_bytes(seed1 / "args.yaml", bytes_of(seed1 / "args.yaml") + "\n"); }},
      {"data_fingerprint", [](const OwnStudy& s) { touch(s / "data/t15.2023.08.18/data_val.hdf5"); }},
      {"data_fingerprint", [](const OwnStudy& s) { touch(s / "corpora.csv"); }},
      {"calibration_data_fingerprint", [](const OwnStudy& s) { touch(s / "data/t15.2023.08.18/data_train.hdf5"); }},
  };
  for (const Change& change : changes) {
    SCOPED_TRACE(change.field + " " + ::testing::PrintToString(change.flags));
    if (change.of_the_study) change.of_the_study(study);
    Flags flags = base;
    if (change.field == "language_model") std::erase(flags, "--skip_lm");
    if (change.field == "threads") {
      std::erase(flags, "--threads");
      std::erase(flags, "1");
    }
    if (change.variable != nullptr) ::setenv(change.variable, "portable", 1);
    const ProgramResult run = study.run("run_quantization_experiment", flags + change.flags);
    if (change.variable != nullptr) ::unsetenv(change.variable);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_TRUE(contains(run.err, change.field + " was ")) << run.err;
    EXPECT_TRUE(contains(run.err, "running it again")) << run.err;
    // And the other way round, with the study as it is now: back to `base`, then nothing is left to do.
    ASSERT_EQ(study.run("run_quantization_experiment", base).exit_code, 0);
    EXPECT_TRUE(contains(study.run("run_quantization_experiment", base).err, "finished by an earlier run"));
  }
}

// Whatever field of the recorded key is another one, the work is done again, and the log names the field.
TEST(RunKeyOfAnExperiment, EveryFieldOfTheRecordDecides) {
  const OwnStudy study;
  const Flags flags = study.experiment() + Flags{"--quantization_type", "static",        "--calibration_samples", "2",
                                                 "--sessions",          "t15.2023.08.11"};
  ASSERT_EQ(study.run("run_quantization_experiment", flags).exit_code, 0);
  const fs::path record = study / "out/quantization_results/state/static_qint8-n2_val-of_t15.2023.08.11.json";
  const nlohmann::json key = json_in(record)["key"];
  EXPECT_GE(key.size(), 20U) << key;
  for (const auto& [field, value] : key.items()) {
    nlohmann::json changed = json_in(record);
    changed["key"] = key;
    changed["key"][field] = "another";
    write_bytes(record, changed.dump());
    const ProgramResult run = study.run("run_quantization_experiment", flags);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    if (field == "language_model") {  // results with words serve a run without
      EXPECT_TRUE(contains(run.err, "finished by an earlier run")) << run.err;
      continue;
    }
    EXPECT_TRUE(contains(run.err, field + " was another, is ")) << run.err;
    EXPECT_TRUE(contains(run.err, "running it again")) << run.err;
  }
}

TEST(RunKeyOfAnExperiment, ARetrainedCheckpointIsEvaluatedAgainAndTheLogSaysSo) {
  const OwnStudy study;
  ASSERT_EQ(study.run("run_quantization_experiment", study.experiment()).exit_code, 0);
  const fs::path checkpoint = study / "models/seed1/checkpoint/best_checkpoint";
  fs::copy_file(study_folder() / "retrained/checkpoint/best_checkpoint", checkpoint,
                fs::copy_options::overwrite_existing);
  const ProgramResult run = study.run("run_quantization_experiment", study.experiment());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(contains(run.err, "checkpoint_sha256 was ")) << run.err;
}

TEST(RunKeyOfAnEvaluation, AJournalOfAnotherKeyIsNotTaken) {
  const OwnStudy study;
  const fs::path args = study / "models/seed1/checkpoint/args.yaml";
  const fs::path csv = study / "r.csv";
  // A run that is killed leaves a journal; one with a changed args.yaml begins anew and says which field it was.
  const Flags skip = Flags{"--model_path",
                           (study / "models/seed1").string(),
                           "--output_csv",
                           csv.string(),
                           "--skip_lm",
                           "--batch_size",
                           "1",
                           "--streaming"} +
                     study.data();
  const ScratchFolder scratch;
  RunningProgram first("evaluate_quantized_model", skip, scratch.path());
  const fs::path journal = csv.string() + ".partial";
  const auto trials = [&] {
    const std::string text = bytes_of(journal);
    return std::count(text.begin(), text.end(), '\n') - 1;
  };
  while (!fs::exists(journal) || trials() < 2) std::this_thread::yield();
  first.send(SIGKILL);
  if (first.wait().signal != SIGKILL) GTEST_SKIP() << "it ended before it was killed";
  replace_in(args, "smooth_kernel_std: 2", "smooth_kernel_std: 3");
  const ProgramResult second = study.run("evaluate_quantized_model", skip);
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_TRUE(contains(second.err, "args_sha256 was ")) << second.err;
}

// ---- processes ----

TEST(Signals, EndAProgramWithTheirOwnExitCode) {
  for (const auto& [signal, code] : std::vector<std::pair<int, int>>{{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 129}}) {
    const OwnStudy study;
    const ScratchFolder scratch;
    RunningProgram program("test_all_quantization_methods", study.experiment(), scratch.path());
    const fs::path log = study / "out/quantization_results/logs/fp32_val.log";
    while (!fs::exists(log)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    program.send(signal);
    const ProgramResult ended = program.wait();
    EXPECT_EQ(ended.exit_code, code) << ended.err;
    EXPECT_TRUE(contains(ended.err, "interrupted")) << ended.err;
    EXPECT_EQ(study.run("test_all_quantization_methods", study.experiment()).exit_code, 0);
  }
}

TEST(Signals, AnIgnoredHangUpStaysIgnored) {
  const OwnStudy study;
  const ScratchFolder scratch;
  ::signal(SIGHUP, SIG_IGN);  // as nohup does; the program inherits it
  RunningProgram program("run_quantization_experiment", study.experiment(), scratch.path());
  ::signal(SIGHUP, SIG_DFL);
  while (!fs::exists(study / "out/quantization_results/locks"))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  program.send(SIGHUP);
  EXPECT_EQ(program.wait().exit_code, 0);
}

TEST(Processes, AChildsErrorReachesTheUser) {
  const OwnStudy study;
  const fs::path cut = study / "data/t15.2023.08.18/data_train.hdf5";
  write_bytes(cut, bytes_of(cut).substr(0, 3000));
  const ProgramResult run =
      study.run("run_quantization_experiment", study.experiment() + Flags{"--quantization_type", "static"});
  EXPECT_EQ(run.exit_code, 1);
  ASSERT_EQ(run.errors().size(), 1U) << run.err;
  EXPECT_TRUE(contains(run.errors()[0], cut.string())) << run.errors()[0];
}

TEST(Processes, AKilledRunLosesNoMethodToTheRerun) {
  const OwnStudy study;
  const ScratchFolder scratch;
  for (const int milliseconds : {150, 400, 900}) {
    RunningProgram program("test_all_quantization_methods", study.experiment(), scratch.path());
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    program.send(SIGKILL);
    program.wait();
    const ProgramResult again = study.run("test_all_quantization_methods", study.experiment());
    EXPECT_EQ(again.exit_code, 0) << again.err;
    for (const auto& method : json_in(study / "out/quantization_results/comparison.json")["methods"]) {
      EXPECT_EQ(method["succeeded"], true) << method;
    }
    fs::remove_all(study / "out");
  }
}

}  // namespace
}  // namespace brainquant::testing
