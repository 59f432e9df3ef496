// What --version prints.
#include "brainquant/version.h"

#include <gtest/gtest.h>

#include <regex>

#include "apps/program.h"
#include "brainquant/git_commit.h"

namespace brainquant::testing {
namespace {

TEST(Version, NamesTheReleaseAndTheCommit) {
  const ScratchFolder scratch;
  const std::string commit = git_commit();
  EXPECT_TRUE(std::regex_match(commit, std::regex("([0-9a-f]{40}(-dirty)?)?"))) << commit;
  for (const std::string program :
       {"quantize_model", "evaluate_quantized_model", "test_all_quantization_methods", "run_quantization_experiment"}) {
    const ProgramResult run = run_program(program, {"--version"}, scratch.path());
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_EQ(run.out, program + " " + kVersion + (commit.empty() ? "" : " (" + commit + ")") + "\n");
  }
}

}  // namespace
}  // namespace brainquant::testing
