// What --help prints: every option's help, in lines that fit a terminal.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "apps/program.h"
#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/experiment/bits_budget.h"
#include "brainquant/experiment/experiment.h"
#include "brainquant/experiment/sensitivity.h"
#include "brainquant/quantization/quantize_job.h"

namespace brainquant::testing {
namespace {

constexpr std::size_t kHelpWidth = 100;
constexpr std::size_t kFlagsWidth = 40;

std::string with_single_spaces(const std::string& text) { return std::regex_replace(text, std::regex("\\s+"), " "); }

void expect_wrapped_help(const std::string& program, const OptionList& options) {
  SCOPED_TRACE(program);
  const ScratchFolder scratch;
  const ProgramResult run = run_program(program, {"--help"}, scratch.path());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), kHelpWidth) << line;
    // A hanging indent: what is neither a flag nor a heading stands in the column of help.
    const std::size_t indent = line.find_first_not_of(' ');
    if (line.empty()) continue;
    EXPECT_TRUE(indent == 0 || indent == 2 || indent == kFlagsWidth) << line;
  }
  const std::string text = with_single_spaces(run.out);
  for (const Option& option : options.options()) {
    EXPECT_NE(text.find("--" + option.name + " "), std::string::npos) << option.name;
    EXPECT_NE(text.find(option.help), std::string::npos) << option.name << ": " << option.help;
  }
}

TEST(Help, IsWholeAndWrapped) {
  QuantizeJob job;
  expect_wrapped_help("quantize_model", list_options(job));
  EvaluationOptions evaluation;
  expect_wrapped_help("evaluate_quantized_model", list_options(evaluation));
  ExperimentOptions experiment;
  expect_wrapped_help("test_all_quantization_methods", list_options(experiment));
  expect_wrapped_help("run_quantization_experiment", list_options(experiment));
  SensitivityOptions sensitivity;
  expect_wrapped_help("test_all_quantization_methods", list_options(sensitivity));
  BudgetOptions budget;
  expect_wrapped_help("quantize_model", list_options(budget));
  expect_wrapped_help("run_quantization_experiment", list_options(budget));
}

}  // namespace
}  // namespace brainquant::testing
