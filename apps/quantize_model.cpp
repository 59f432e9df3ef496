// quantize_model: a trained checkpoint to a quantized file that stands on its own.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "brainquant/reporting/quantize_text.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/run_app.h"

namespace {

using namespace brainquant;

// Documented options that this method has no use for are accepted, and named.
void name_unused_options(const CLI::App& parser, QuantizeJob& job, const RunContext& context) {
  std::vector<std::string> names;
  const OptionList list = list_options(job);
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
  app::App program;
  program.name = "quantize_model";
  program.description = "Quantizes a trained brain-to-text decoder.";
  program.add_flags = [&](CLI::App& parser) { app::add_flags(parser, list_options(job)); };
  program.run = [&](const CLI::App& parser, const RunContext& context) {
    job.validate();
    name_unused_options(parser, job, context);
    const QuantizeOutcome outcome = run_quantize_job(job, libtorch_calibration(), context);
    fmt::print("{}", quantize_text(job, outcome));
    return kExitSuccess;
  };
  return app::run_app(program, argc, argv);
}
