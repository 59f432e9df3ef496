#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "brainquant/experiment/program_runner.h"
#include "brainquant/support/error.h"
#include "experiment/child_process.h"
#include "support/atomic_file.h"

namespace brainquant {

namespace fs = std::filesystem;

namespace {

/// A program of this project: beside the one that is running.
fs::path sibling_program(const std::string& name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path path = self.parent_path() / name;
  if (error || !fs::exists(path)) throw FileError(path.string(), "no such program; it belongs beside " + self.string());
  return path;
}

ProgramCosts run_program(const std::string& name, const std::vector<std::string>& arguments,
                         const ProgramSetting& setting, const RunContext& context) {
  ChildProcess child{sibling_program(name), arguments, setting.log};
  if (setting.lock_descriptor >= 0) child.inherited.push_back(setting.lock_descriptor);
  const ChildResult result = run_child(child, context);
  if (result.exit_code == 0) return {result.peak_memory_bytes, result.seconds};
  throw WorkError(
      fmt::format("{} {} (exit code {}){}", name,
                  result.exit_code > 128 ? fmt::format("was ended by signal {}", result.exit_code - 128) : "failed",
                  result.exit_code, result.error.empty() ? "; see " + setting.log.string() : ": " + result.error));
}

class ChildProcessRunner final : public ProgramRunner {
 public:
  ProgramCosts quantize(const QuantizeJob& job, const ProgramSetting& setting,
                        const RunContext& context) const override {
    QuantizeJob copy = job;
    return run_program("quantize_model", list_options(copy).arguments(), setting, context);
  }

  ProgramCosts evaluate(const EvaluationOptions& options, const ProgramSetting& setting,
                        const RunContext& context) const override {
    EvaluationOptions copy = options;
    std::vector<std::string> of_words;  // the language model knows which of its options go together
    const OptionList words_options = list_options(copy.language_model);
    for (const Option& option : words_options.options()) of_words.push_back(option.name);
    std::vector<std::string> arguments = list_options(copy).without(of_words).arguments();
    const std::vector<std::string> words = options.language_model.arguments();
    arguments.insert(arguments.end(), words.begin(), words.end());
    return run_program("evaluate_quantized_model", arguments, setting, context);
  }
};

}  // namespace

const ProgramRunner& child_process_runner() {
  static const ChildProcessRunner runner;
  return runner;
}

void hand_over_error(const std::string& problem) noexcept {
  const char* path = std::getenv(kErrorFileVariable);
  if (path == nullptr || *path == '\0') return;
  try {
    write_file_atomically(path, problem);
  } catch (const std::exception&) {
    // The log has it too.
  }
}

}  // namespace brainquant
