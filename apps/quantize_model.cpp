// quantize_model: a trained checkpoint to a quantized file that stands on its own.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "brainquant/experiment/bits_budget.h"
#include "brainquant/reporting/bits_budget_text.h"
#include "brainquant/reporting/quantize_text.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/run_app.h"

namespace {

using namespace brainquant;

// Documented options that this method has no use for are accepted, and named.
void name_unused_options(const CLI::App& parser, const OptionList& list, const QuantizeJob& job,
                         const RunContext& context) {
  std::vector<std::string> names;
  for (const Option& option : list.options()) {
    if (!option.applies() && parser.count("--" + option.name) > 0) names.push_back("--" + option.name);
  }
  if (!names.empty()) {
    context.log.info(fmt::format("{} does not use {}", job.options.method_name(), fmt::join(names, ", ")));
  }
}

}  // namespace

int main(int argc, char** argv) {
  QuantizeJob job;
  BudgetOptions budget;
  LanguageModelOptions words;
  app::App program;
  program.name = "quantize_model";
  program.description = "Quantizes a trained brain-to-text decoder.";
  program.add_flags = [&](CLI::App& parser) {
    app::add_flags(parser, list_options(job));
    app::add_flags(parser, list_options(budget));
    app::add_flags(parser, list_options(words).without(
                               {"skip_lm", "redis_host", "redis_port", "redis_db", "lm_timeout", "tune_lm"}));
  };
  program.run = [&](const CLI::App& parser, const RunContext& context) {
    budget.validate(job.options, words);
    if (budget.is_set()) {
      const BitsChoice choice = choose_bits(job, budget, words, bits_record_of(job), context);
      fmt::print("{}\n", bits_budget_text(choice));
      job.options.bits = choice.bits;
    }
    job.validate();
    // A budget is measured on the data whether or not anything is calibrated.
    const std::vector<std::string> measured_on = {"data_dir", "csv_path"};
    name_unused_options(parser, budget.is_set() ? list_options(job).without(measured_on) : list_options(job), job,
                        context);
    name_unused_options(parser, list_options(budget), job, context);
    const QuantizeOutcome outcome = run_quantize_job(job, libtorch_calibration(), context);
    fmt::print("{}", quantize_text(job, outcome));
    return kExitSuccess;
  };
  return app::run_app(program, argc, argv);
}
