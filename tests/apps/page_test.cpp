// The pages that the programs write, in a real browser, and against the results that they tell of.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "apps/program.h"
#include "apps/study.h"

namespace brainquant::testing {
namespace {

namespace fs = std::filesystem;
using Flags = std::vector<std::string>;

const std::string kModel = (study_folder() / "model").string();
const std::string kWords = std::string(BRAINQUANT_FIXTURES) + "/wfst/case1";

/// What a Python script of the project says, and its exit code.
struct ScriptResult {
  int exit_code = -1;
  std::string out;
};

ScriptResult run_script(const std::string& script, const std::vector<fs::path>& arguments, const fs::path& scratch) {
  std::string command = fmt::format("PYTHONDONTWRITEBYTECODE=1 '{}' '{}'", BRAINQUANT_PYTHON, script);
  for (const fs::path& argument : arguments) command += fmt::format(" '{}'", argument.string());
  const fs::path out = scratch / "script.txt";
  const int status = std::system((command + " >'" + out.string() + "' 2>&1").c_str());
  return {WEXITSTATUS(status), bytes_of(out)};
}

Flags study_flags(const ScratchFolder& scratch) {
  return Flags{"--model_path", kModel, "--output_dir", scratch.path().string(), "--lm", "wfst", "--lm_dir", kWords} +
         data_flags();
}

TEST(Page, OfAComparisonHasItsNumbersAndCanBeRead) {
  const ScratchFolder scratch;
  const ProgramResult run =
      run_program("test_all_quantization_methods",
                  study_flags(scratch) + Flags{"--methods", "all", "--sensitivity", "4"}, scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const fs::path results = scratch / "quantization_results";
  const fs::path page = results / "comparison.html";
  EXPECT_NE(run.out.find("comparison: " + page.string()), std::string::npos) << run.out;
  const std::string html = bytes_of(page);
  EXPECT_NE(html.find("--methods all --sensitivity 4</code>"), std::string::npos);  // how to run it again

  const ScriptResult numbers =
      run_script(BRAINQUANT_CHECKS "/check_page_numbers.py",
                 {page, results / "comparison.json", results / "sensitivity.json"}, scratch.path());
  EXPECT_EQ(numbers.exit_code, 0) << numbers.out;
  const ScriptResult reading = run_script(BRAINQUANT_SCRIPTS "/page/check_page.py", {page}, scratch.path());
  EXPECT_EQ(reading.exit_code, 0) << reading.out;

  // Every plot by itself, for slides.
  const ScriptResult plots = run_script(BRAINQUANT_SCRIPTS "/page/plots.py", {page, scratch / "plots"}, scratch.path());
  EXPECT_EQ(plots.exit_code, 0) << plots.out;
  for (const char* name : {"per-size", "wer-sessions", "confusions", "steps", "weights", "sensitivity-per"}) {
    EXPECT_NE(bytes_of(scratch / "plots" / (std::string(name) + ".svg")).find("<svg"), std::string::npos) << name;
    EXPECT_EQ(bytes_of(scratch / "plots" / (std::string(name) + ".png")).substr(1, 3), "PNG") << name;
  }

  // The checks find what is wrong: a request, pale text, something too wide, a number.
  const auto with = [&](std::string from, const std::string& to) {
    std::string changed = html;
    const std::size_t at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    std::ofstream(scratch / "changed.html") << changed;
  };
  with("</main>",
       "<img alt=\"\" src=\"http://127.0.0.1:9/x.png\"><p style=\"color:#ddd;background:#fff\">pale</p>"
       "<div style=\"width:3000px\">wide</div></main>");
  const ScriptResult faults =
      run_script(BRAINQUANT_SCRIPTS "/page/check_page.py", {scratch / "changed.html", "400"}, scratch.path());
  EXPECT_EQ(faults.exit_code, 1);
  for (const char* fault : {"the console says error", "3016 pixels wide", "axe color-contrast"}) {
    EXPECT_NE(faults.out.find(fault), std::string::npos) << fault << "\n" << faults.out;
  }
  with("\"front\":true", "\"front\":false");
  EXPECT_EQ(run_script(BRAINQUANT_CHECKS "/check_page_numbers.py",
                       {scratch / "changed.html", results / "comparison.json"}, scratch.path())
                .exit_code,
            1);
}

TEST(Page, OfAnExperimentStandsBesideItsJson) {
  const ScratchFolder scratch;
  const ProgramResult run =
      run_program("run_quantization_experiment",
                  study_flags(scratch) + Flags{"--quantization_type", "static_per_channel"}, scratch.path());
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const fs::path results = scratch / "quantization_results";
  const nlohmann::json json = json_in(results / "experiment_static_per_channel_qint8_val.json");
  const fs::path page = results / "experiment_static_per_channel_qint8_val.html";
  const std::string html = bytes_of(page);
  for (const auto& [session, rate] : json["evaluation"]["per"]["sessions"].items()) {
    EXPECT_NE(html.find(fmt::format("<td>{:.2f} [", rate["rate"].get<double>())), std::string::npos) << session;
  }
  const ScriptResult reading = run_script(BRAINQUANT_SCRIPTS "/page/check_page.py", {page}, scratch.path());
  EXPECT_EQ(reading.exit_code, 0) << reading.out;
}

}  // namespace
}  // namespace brainquant::testing
