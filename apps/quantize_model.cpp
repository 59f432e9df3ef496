// quantize_model: a trained checkpoint to a quantized file that stands on its own.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/reporting/quantize_text.h"
#include "brainquant/support/exit_code.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "common/flags.h"
#include "common/run_app.h"

namespace {

using namespace brainquant;

// Documented options that this method has no use for are accepted, and named.
void name_unused_options(const CLI::App& parser, const QuantizeJob& job, const RunContext& context) {
  std::vector<std::string> names = {"--gpu_number"};
  if (!job.options.is_static()) {
    names.insert(names.end(), {"--data_dir", "--csv_path", "--calibration_batch_size", "--calibration_samples"});
  }
  std::erase_if(names, [&](const std::string& name) { return parser.get_option(name)->count() == 0; });
  if (!names.empty()) {
    context.log.info(fmt::format("{} does not use {}", job.options.method_name(), fmt::join(names, ", ")));
  }
}

}  // namespace

int main(int argc, char** argv) {
  QuantizeJob job;
  job.threads = 0;
  app::App program;
  program.name = "quantize_model";
  program.description = "Quantizes a trained brain-to-text decoder.";
  program.add_flags = [&](CLI::App& parser) { app::add_flags(parser, list_options(job)); };
  program.run = [&](const CLI::App& parser, const RunContext& context) {
    name_unused_options(parser, job, context);
    if (parser.count("--gpu_number") > 0) resolve_gpu_number(job.gpu_number, context);
    EngineOptions cores;
    cores.threads = job.threads;
    QuantizeJob resolved = job;
    if (job.threads == 0) resolved.threads = cores.effective_threads();
    const QuantizeOutcome outcome = run_quantize_job(resolved, libtorch_calibration(), context);
    fmt::print("{}", quantize_text(resolved, outcome));
    return kExitSuccess;
  };
  return app::run_app(program, argc, argv);
}
