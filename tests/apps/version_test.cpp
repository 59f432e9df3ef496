// What --version prints.
#include "brainquant/version.h"

#include <gtest/gtest.h>

#include <regex>

#include "apps/program.h"
#include "brainquant/git_commit.h"

namespace brainquant::testing {
namespace {

// Which commit it must be is for tests/package/git_commit_test.cmake: programs and tests may be built at different
// ones.
TEST(Version, NamesTheReleaseAndTheCommit) {
  const ScratchFolder scratch;
  const std::string commit = "[0-9a-f]{40}(-dirty)?";
  EXPECT_TRUE(std::regex_match(git_commit(), std::regex("(" + commit + ")?"))) << git_commit();
  for (const std::string program :
       {"quantize_model", "evaluate_quantized_model", "test_all_quantization_methods", "run_quantization_experiment"}) {
    const ProgramResult run = run_program(program, {"--version"}, scratch.path());
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_TRUE(std::regex_match(run.out, std::regex(program + " " + kVersion + "( \\(" + commit + "\\))?\n")))
        << run.out;
  }
}

}  // namespace
}  // namespace brainquant::testing
