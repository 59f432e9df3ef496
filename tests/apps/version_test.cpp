// What --version prints.
#include "brainquant/version.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <regex>

#include "apps/program.h"
#include "brainquant/git_commit.h"
#include "runtime/kernels/kernel_table.h"

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
    EXPECT_TRUE(std::regex_search(run.out, std::regex("^" + program + " " + kVersion + "( \\(" + commit + "\\))?\n")))
        << run.out;
  }
}

// The wheel's own word for LibTorch's version, and that of the HDF5 headers here; both are linked as shared libraries.
TEST(Version, NamesWhatTheProgramRunsOn) {
  const ScratchFolder scratch;
  const std::string asked = std::string(BRAINQUANT_PYTHON) + " -c 'import torch; print(torch.__version__)'";
  FILE* pipe = ::popen(asked.c_str(), "r");
  char said[100] = "";
  ASSERT_NE(std::fgets(said, sizeof said, pipe), nullptr);
  ::pclose(pipe);
  std::string torch = said;
  torch = torch.substr(0, torch.find_first_of("+\n"));
  const auto rest_of = [&](const ProgramResult& run) { return run.out.substr(run.out.find('\n') + 1); };
  const auto expected = [&](const std::string& kernel) {
    return "LibTorch " + torch + "\nHDF5 " + BRAINQUANT_HDF5_VERSION + "\nINT8 kernel " + kernel + "\n";
  };
  ::setenv("BRAINQUANT_KERNEL", "portable", 1);
  EXPECT_EQ(rest_of(run_program("quantize_model", {"--version"}, scratch.path())), expected("portable"));
  ::setenv("BRAINQUANT_KERNEL", "sliderule", 1);
  const ProgramResult wrong = run_program("quantize_model", {"--version"}, scratch.path());
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(wrong.errors().size(), 1U) << wrong.err;
  ::unsetenv("BRAINQUANT_KERNEL");
  EXPECT_EQ(rest_of(run_program("evaluate_quantized_model", {"--version"}, scratch.path())),
            expected(supported_kernels().front()->name));
}

}  // namespace
}  // namespace brainquant::testing
