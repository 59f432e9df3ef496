// run_quantization_experiment: one method, quantized and evaluated.

#include <fmt/format.h>

#include <cstdio>

#include "brainquant/experiment/bits_budget.h"
#include "brainquant/experiment/experiment.h"
#include "brainquant/reporting/bits_budget_text.h"
#include "brainquant/reporting/comparison_report.h"
#include "common/command_line.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/run_app.h"

int main(int argc, char** argv) {
  using namespace brainquant;
  ExperimentOptions options;
  QuantizationOptions quantization;
  BudgetOptions budget;
  app::App program;
  program.name = "run_quantization_experiment";
  program.description = "Quantizes a model by one method and evaluates it.";
  program.add_flags = [&](CLI::App& parser) {
    app::add_flags(parser, list_options(options));
    app::add_flags(parser, list_options(quantization));
    app::add_flags(parser, list_options(budget));
  };
  program.run = [&](const CLI::App&, const RunContext& context) {
    budget.validate(quantization, options.language_model);
    if (budget.is_set()) {
      const BitsChoice choice = choose_bits(options, quantization, budget, context);
      fmt::print("{}\n", bits_budget_text(choice));
      quantization.bits = choice.bits;
    }
    const Method method{quantization};
    const auto json = options.results_dir() / fmt::format("experiment_{}.json", results_stem(options, method));
    PageExtras extras;
    extras.command = app::command_line(argc, argv);
    const MethodOutcome outcome = run_experiment(
        options, method, [&](const MethodOutcome& done) { write_experiment(done, json, extras); }, context,
        child_process_runner());
    fmt::print("{}\nresults: {}\n", experiment_line(outcome), json.string());
    return kExitSuccess;
  };
  return app::run_app(program, argc, argv);
}
