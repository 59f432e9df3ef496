// An experiment in this process and one by programs are the same experiment.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "apps/program.h"
#include "apps/study.h"
#include "brainquant/experiment/comparison.h"
#include "brainquant/experiment/experiment.h"
#include "experiment/child_process.h"

namespace {

namespace fs = std::filesystem;
using namespace brainquant;
using namespace brainquant::testing;

std::string bytes_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

ExperimentOptions small_options(const fs::path& output_dir) {
  ExperimentOptions options;
  options.model_path = study_folder() / "model";
  options.output_dir = output_dir;
  options.data.data_dir = study_folder() / "data";
  options.data.csv_path = study_folder() / "corpora.csv";
  options.engine.gpu_number = -1;
  options.engine.threads = 1;
  options.language_model.skip_lm = true;
  return options;
}

TEST(ProgramRunner, InThisProcessItGivesTheProgramsFilesWhichThenServeThem) {
  const ScratchFolder scratch;
  const ExperimentOptions options = small_options(scratch / "here");
  QuantizationOptions quantization;
  quantization.quantization_type = QuantizationType::static_per_tensor;
  quantization.observer = ObserverKind::histogram;
  bool published = false;
  const MethodOutcome outcome =
      run_experiment(options, {quantization}, [&](const MethodOutcome& done) { published = done.succeeded; });
  EXPECT_TRUE(published);
  EXPECT_FALSE(outcome.reused);
  EXPECT_GT(outcome.quantize_peak_memory_bytes, 0);

  const auto run = [&](const fs::path& folder) {
    return run_program("run_quantization_experiment",
                       std::vector<std::string>{"--model_path", options.model_path.string(), "--output_dir",
                                                folder.string(), "--quantization_type", "static", "--observer",
                                                "histogram", "--skip_lm", "--gpu_number", "-1", "--threads", "1"} +
                           data_flags(),
                       scratch.path());
  };
  const fs::path there = scratch / "there";
  ASSERT_EQ(run(there).exit_code, 0);
  for (const fs::path& made : {outcome.model_file, outcome.csv, outcome.logits}) {
    const fs::path below = made.lexically_relative(options.output_dir);
    EXPECT_FALSE(bytes_of(made).empty()) << made;
    EXPECT_EQ(bytes_of(made), bytes_of(there / below)) << below;
  }
  const ProgramResult again = run(scratch / "here");
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NE(again.err.find("finished by an earlier run"), std::string::npos) << again.err;
}

/// Keeps the stages that progress speaks of, each once for a run of updates.
class KeptStages final : public Progress {
 public:
  void update(const std::string& stage, std::int64_t done, std::int64_t total) override {
    if (stages.empty() || stages.back() != stage) stages.push_back(stage);
    if (stage.ends_with("trials") && done == total) all_trials = done;
  }
  std::vector<std::string> stages;
  std::int64_t all_trials = 0;
};

TEST(ProgramRunner, AComparisonSaysHowFarEachMethodIs) {
  const ScratchFolder scratch;
  ExperimentOptions options = small_options(scratch / "out");
  Log log;
  KeptStages progress;
  const CancelToken cancel;
  run_comparison(
      options, choose_methods({"dynamic_qint8"}, {}), [](const Comparison&) {}, RunContext(log, progress, cancel));
  const auto place_of = [&](const std::string& stage) {
    return std::find(progress.stages.begin(), progress.stages.end(), stage) - progress.stages.begin();
  };
  EXPECT_EQ(progress.stages.front(), "methods");
  EXPECT_LT(place_of("method 1 of 2, fp32: trials"), place_of("method 2 of 2, dynamic_qint8: trials"));
  EXPECT_LT(place_of("method 2 of 2, dynamic_qint8: trials"), std::ssize(progress.stages));
  EXPECT_EQ(progress.stages.back(), "methods");
}

TEST(ProgramRunner, AProgramThatIsStartedTellsItsProgress) {
  const ScratchFolder scratch;
  Log log;
  KeptStages progress;
  const CancelToken cancel;
  const ChildProcess child{
      fs::path(BRAINQUANT_BIN) / "evaluate_quantized_model",
      std::vector<std::string>{"--model_path", (study_folder() / "model").string(), "--skip_lm", "--gpu_number", "-1",
                               "--output_csv", (scratch / "r.csv").string()} +
          data_flags(),
      scratch / "log"};
  ASSERT_EQ(run_child(child, RunContext(log, progress, cancel)).exit_code, 0) << bytes_of(scratch / "log");
  EXPECT_EQ(progress.stages, (std::vector<std::string>{"checkpoint", "trials"}));
  EXPECT_EQ(progress.all_trials, std::ssize(expected()["val"]));
}

}  // namespace
