// evaluate_quantized_model: phonemes, and sentences if there is a language model, of one model on one split.

#include <fmt/format.h>

#include <cstdio>

#include "brainquant/evaluation/evaluator.h"
#include "brainquant/reporting/evaluation_text.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/run_app.h"
#include "common/terminal.h"

namespace {

// A line for each change, so that a log and a terminal show the same; "=" marks what stays.
void print_words(brainquant::app::Terminal& terminal, const brainquant::WordsSoFar& said) {
  terminal.print(fmt::format("{} {:6.2f} s {} {}\n", said.label,
                             brainquant::kSecondsPerBin * static_cast<double>(said.bins), said.final ? "=" : ":",
                             said.words));
}

}  // namespace

int main(int argc, char** argv) {
  using namespace brainquant;
  EvaluationOptions options;
  app::App program;
  program.name = "evaluate_quantized_model";
  program.description =
      "Decodes a split of the data with a quantized model (or a checkpoint: the fp32 baseline) and scores it.";
  program.add_flags = [&](CLI::App& parser) { app::add_flags(parser, list_options(options)); };
  program.run = [&](const CLI::App&, const app::AppContext& context) {
    const EvaluationOutcome outcome =
        evaluate(options, context, [&](const WordsSoFar& said) { print_words(context.terminal, said); });
    fmt::print("{}results: {}\n", evaluation_text(outcome.summary), outcome.csv.string());
    return kExitSuccess;
  };
  return app::run_app(program, argc, argv);
}
