// An experiment in this process and one by programs are the same experiment.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "apps/program.h"
#include "apps/study.h"
#include "brainquant/experiment/experiment.h"

namespace {

namespace fs = std::filesystem;
using namespace brainquant;
using namespace brainquant::testing;

std::string bytes_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

TEST(ProgramRunner, InThisProcessItGivesTheProgramsFilesWhichThenServeThem) {
  const ScratchFolder scratch;
  ExperimentOptions options;
  options.model_path = study_folder() / "model";
  options.output_dir = scratch / "here";
  options.data.data_dir = study_folder() / "data";
  options.data.csv_path = study_folder() / "corpora.csv";
  options.engine.gpu_number = -1;
  options.engine.threads = 1;
  options.language_model.skip_lm = true;
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

}  // namespace
