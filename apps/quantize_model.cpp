// quantize_model: a trained checkpoint to a quantized file that stands on its own.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <tuple>
#include <vector>

#include "brainquant/experiment/bits_budget.h"
#include "brainquant/quantization/add_session.h"
#include "brainquant/quantization/inspection.h"
#include "brainquant/reporting/bits_budget_text.h"
#include "brainquant/reporting/inspection_report.h"
#include "brainquant/reporting/quantize_text.h"
#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/help.h"
#include "common/run_app.h"
#include "common/terminal.h"

namespace {

using namespace brainquant;

// Options that were given and that this method, or a run without a budget, has no use for are accepted, and named.
class UnusedOptions {
 public:
  explicit UnusedOptions(const CLI::App& parser) : parser_(parser) {}
  void add(const OptionList& list, bool all_unused = false) {
    for (const Option& option : list.options()) {
      if ((all_unused || !option.applies()) && parser_.count("--" + option.name) > 0)
        names_.push_back("--" + option.name);
    }
  }
  void name(const QuantizeJob& job, const RunContext& context) const {
    if (names_.empty()) return;
    context.log.info(fmt::format("{} does not use {}", job.options.method_name(), fmt::join(names_, ", ")));
  }

 private:
  const CLI::App& parser_;
  std::vector<std::string> names_;
};

OptionList list_words_options(LanguageModelOptions& words) {
  return list_options(words).without({"skip_lm", "redis_host", "redis_port", "redis_db", "lm_timeout", "tune_lm"});
}

/// The flags that put a session into a file that is there already.
struct SessionFlags {
  std::vector<std::string> add;
  std::vector<std::string> replace;
  std::string base;

  void add_to(CLI::App& parser) {
    const auto option = [&](const std::string& flag, auto& value, const std::string& help) {
      return parser.add_option(flag, value, help)->group(app::group_of(flag.substr(2)));
    };
    for (const auto& [flag, values, help] :
         {std::tuple("--add_session", &add,
                     "Only put the day layer of a session from a fine-tuned checkpoint's folder "
                     "into the quantized file --base, and write --output_path"),
          std::tuple("--replace_session", &replace, "Likewise, in place of the one that the file has")}) {
      option(flag, *values, help)->expected(2)->type_name("CHECKPOINT SESSION");
      app::needs_no_other(parser, flag);
    }
    option("--base", base, "The quantized file for --add_session and --replace_session")->type_name("PATH");
  }

  bool are_given() const { return !add.empty() || !replace.empty() || !base.empty(); }

  int run(const QuantizeJob& given, const CLI::App& parser, const RunContext& context) const {
    if (add.empty() == replace.empty()) {
      throw UsageError(add.empty() ? "--base needs --add_session or --replace_session"
                                   : "--add_session and --replace_session cannot be given together");
    }
    app::refuse_others(parser, {replace.empty() ? "--add_session" : "--replace_session", "--base", "--output_path",
                                "--data_dir", "--force"});
    const std::vector<std::string>& named = replace.empty() ? add : replace;
    AddSessionJob job;
    job.checkpoint = named[0];
    job.session = named[1];
    job.replace = !replace.empty();
    job.base = base;
    job.output_path = given.output_path;
    job.data_dir = given.data_dir;
    job.force = given.force;
    fmt::print("{}", add_session_text(job, add_session(job, context)));
    return kExitSuccess;
  }
};

int answer(const InspectOptions& question, const CLI::App& parser, const RunContext& context) {
  if (!question.verify.empty()) {
    app::refuse_others(parser, {"--verify"});
    fmt::print("{}", verification_text(verify_model(question.verify, context)));
    return kExitSuccess;
  }
  app::refuse_others(parser, {"--inspect", "--json"});
  const Inspection inspection = inspect_model(question.inspect, context);
  fmt::print("{}", question.json ? inspection_json(inspection) : inspection_text(inspection, app::width_of_stdout()));
  return kExitSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  QuantizeJob job;
  BudgetOptions budget;
  LanguageModelOptions words;
  InspectOptions question;
  SessionFlags sessions;
  app::App program;
  program.name = "quantize_model";
  program.description = "Quantizes a trained brain-to-text decoder.";
  program.add_flags = [&](CLI::App& parser) {
    app::add_flags(parser, list_options(job));
    app::add_flags(parser, list_options(budget));
    app::add_flags(parser, list_words_options(words));
    app::add_flags(parser, list_options(question));
    for (const char* flag : {"--inspect", "--verify"}) app::needs_no_other(parser, flag);
    sessions.add_to(parser);
  };
  program.run = [&](const CLI::App& parser, const RunContext& context) {
    question.validate();
    if (question.is_set()) return answer(question, parser, context);
    if (sessions.are_given()) return sessions.run(job, parser, context);
    budget.validate(job.options, words);
    if (budget.is_set()) {
      const BitsChoice choice = choose_bits(job, budget, words, bits_record_of(job), context);
      fmt::print("{}\n", bits_budget_text(choice));
      job.options.bits = choice.bits;
    }
    job.validate();
    UnusedOptions unused(parser);
    // A budget is measured on the data whether or not anything is calibrated.
    unused.add(budget.is_set() ? list_options(job).without({"data_dir", "csv_path"}) : list_options(job));
    unused.add(list_options(budget));
    unused.add(list_words_options(words), !budget.is_set());
    unused.name(job, context);
    const QuantizeOutcome outcome = run_quantize_job(job, libtorch_calibration(), context);
    fmt::print("{}", quantize_text(job, outcome));
    return kExitSuccess;
  };
  return app::run_app(program, argc, argv);
}
