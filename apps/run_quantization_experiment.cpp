// run_quantization_experiment: one method, quantized and evaluated.

#include <fmt/format.h>

#include <cstdio>

#include "brainquant/reporting/comparison.h"
#include "brainquant/support/atomic_file.h"
#include "brainquant/support/error.h"
#include "brainquant/support/exit_code.h"
#include "common/flags.h"
#include "common/run_app.h"

int main(int argc, char** argv) {
  using namespace brainquant;
  ExperimentOptions options;
  QuantizationOptions quantization;
  app::App program;
  program.name = "run_quantization_experiment";
  program.description = "Quantizes a model by one method and evaluates it.";
  program.add_flags = [&](CLI::App& parser) {
    app::add_experiment_flags(parser, options);
    app::add_method_flags(parser, quantization);
    app::add_static_flags(parser, quantization);
  };
  program.run = [&](const CLI::App&, const RunContext& context) {
    options.validate();
    quantization.validate();
    const MethodOutcome outcome = run_method(options, Method{quantization}, context);
    if (!outcome.succeeded) throw WorkError(outcome.problem);
    const auto json =
        options.results_dir() / fmt::format("experiment_{}_{}.json", outcome.name, name_of(options.data.split));
    write_file_atomically(json, experiment_json(outcome));
    fmt::print("{}\nresults: {}\n", experiment_line(outcome), json.string());
    return kExitSuccess;
  };
  return app::run_app(program, argc, argv);
}
