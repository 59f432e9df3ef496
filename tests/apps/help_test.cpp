// What --help prints: every option's help, in lines that fit a terminal.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

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
    // Examples at the end are indented by 2, their second lines by 6.
    EXPECT_TRUE(indent == 0 || indent == 2 || indent == 6 || indent == kFlagsWidth) << line;
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

const std::vector<std::string> kPrograms = {"quantize_model", "evaluate_quantized_model",
                                            "test_all_quantization_methods", "run_quantization_experiment"};

std::string help_of(const std::string& program) {
  const ScratchFolder scratch;
  return run_program(program, {"--help"}, scratch.path()).out;
}

// The groups in the order of --help: title, and names of flags.
std::vector<std::pair<std::string, std::vector<std::string>>> groups_in(const std::string& help) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  std::istringstream lines(help.substr(0, help.find("\nExamples:")));
  for (std::string line; std::getline(lines, line);) {
    std::smatch flag;
    if (!line.empty() && line[0] != ' ' && line.back() == ':') {
      groups.emplace_back(line.substr(0, line.size() - 1), std::vector<std::string>());
    } else if (!groups.empty() && std::regex_search(line, flag, std::regex("^  (?:-h,)?--(\\w+)"))) {
      groups.back().second.push_back(flag[1]);
    }
  }
  return groups;
}

// The table of flags in the documentation of the Python scripts.
TEST(Help, TheDocumentedFlagsComeFirstAndTheRestIsGrouped) {
  const std::map<std::string, std::set<std::string>> documented = {
      {"quantize_model",
       {"model_path", "output_path", "quantization_type", "dtype", "data_dir", "csv_path", "gpu_number",
        "calibration_batch_size", "calibration_samples"}},
      {"evaluate_quantized_model",
       {"model_path", "data_dir", "csv_path", "eval_type", "gpu_number", "output_csv", "skip_lm"}},
      {"test_all_quantization_methods",
       {"model_path", "data_dir", "csv_path", "eval_type", "gpu_number", "calibration_batch_size",
        "calibration_samples", "skip_lm"}},
      {"run_quantization_experiment",
       {"model_path", "quantization_type", "dtype", "data_dir", "csv_path", "eval_type", "gpu_number",
        "calibration_batch_size", "calibration_samples", "skip_lm"}}};
  for (const std::string& program : kPrograms) {
    SCOPED_TRACE(program);
    const auto groups = groups_in(help_of(program));
    ASSERT_GE(groups.size(), 4U);
    EXPECT_EQ(groups.front().first, "Options of the documented Python scripts");
    const auto& first = groups.front().second;
    EXPECT_EQ(std::set<std::string>(first.begin(), first.end()), documented.at(program));
    EXPECT_EQ(groups.back().first, "Other options");
    EXPECT_EQ(groups.back().second.back(), "help");
    std::set<std::string> titles;
    for (const auto& [title, flags] : groups) {
      EXPECT_TRUE(titles.insert(title).second) << title;
      EXPECT_EQ(std::count(flags.begin(), flags.end(), "lm_dir"), title == "Language model" ? 1 : 0);
    }
  }
  EXPECT_NE(help_of("quantize_model").find("--calibration_samples INT=1000 "), std::string::npos);
}

// Each example is one that the program takes: what it then lacks is a model or a language model.
TEST(Help, ItsExamplesParse) {
  const ScratchFolder scratch;
  for (const std::string& program : kPrograms) {
    SCOPED_TRACE(program);
    std::string help = help_of(program);
    ASSERT_NE(help.find("\nExamples:\n"), std::string::npos);
    help = std::regex_replace(help.substr(help.find("\nExamples:\n") + 11), std::regex("\\\\\n"), " ");
    std::istringstream lines(help);
    int examples = 0;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string word;
      if (!(words >> word) || word == "#") continue;
      EXPECT_EQ(word, program);
      std::vector<std::string> arguments;
      while (words >> word) arguments.push_back(word.starts_with("data/") ? (scratch / word).string() : word);
      arguments.insert(arguments.end(), {"--gpu_number", "-1"});
      const ProgramResult run = run_program(program, arguments, scratch.path());
      EXPECT_EQ(run.exit_code, 1) << line << "\n" << run.err;
      const std::string error = run.errors().empty() ? "" : run.errors().front();
      EXPECT_TRUE(std::regex_search(error, std::regex("(baseline|q/quantized_model.pt|lm/english/words.txt):? ")))
          << error;
      ++examples;
    }
    EXPECT_GE(examples, 1);
    EXPECT_LE(examples, 3);
  }
}

TEST(Verbosity, VerboseNamesEachOptionAndQuietOnlyWhatWentWrong) {
  const ScratchFolder scratch;
  const std::vector<std::string> arguments = {"--model_path", (scratch / "no model").string(), "--skip_lm"};
  const auto said = [&](std::vector<std::string> more) {
    more.insert(more.end(), arguments.begin(), arguments.end());
    return run_program("evaluate_quantized_model", more, scratch.path()).err;
  };
  const std::string verbose = said({"--verbose", "--max_trials", "3"});
  EvaluationOptions options;
  const OptionList list = list_options(options);
  for (const Option& option : list.options()) {
    const std::string value = option.name == "model_path"             ? arguments[1]
                              : option.name == "skip_lm"              ? "on"
                              : option.name == "max_trials"           ? "3"
                              : option.is_switch()                    ? "off"
                              : text_of(option.default_value).empty() ? "(not given)"
                                                                      : text_of(option.default_value);
    EXPECT_NE(verbose.find("\ndebug: --" + option.name + " " + value + "\n"), std::string::npos) << option.name << "\n"
                                                                                                 << verbose;
  }
  EXPECT_EQ(said({}).find("debug: "), std::string::npos);
  const std::string quiet = said({"--quiet"});
  EXPECT_EQ(quiet.find("error: "), 0U) << quiet;
  EXPECT_EQ(std::count(quiet.begin(), quiet.end(), '\n'), 1) << quiet;
}

}  // namespace
}  // namespace brainquant::testing
