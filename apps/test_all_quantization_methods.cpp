// test_all_quantization_methods: the fp32 baseline and the quantization methods on the same trials, and their
// comparison.

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "brainquant/experiment/comparison.h"
#include "brainquant/experiment/sensitivity.h"
#include "brainquant/reporting/comparison_report.h"
#include "brainquant/reporting/sensitivity_report.h"
#include "common/command_line.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/run_app.h"
#include "common/terminal.h"

int main(int argc, char** argv) {
  using namespace brainquant;
  ExperimentOptions options;
  QuantizationOptions common;
  std::vector<std::string> methods = {"documented"};
  SensitivityOptions sensitivity;
  app::App program;
  program.name = "test_all_quantization_methods";
  program.description =
      "Quantizes a model by the four documented methods, or those named, and compares them with fp32 on the same "
      "trials.";
  program.add_flags = [&](CLI::App& parser) {
    app::add_flags(parser, list_options(options));
    OptionList choice;
    choice.add("methods", methods,
               "Compared with fp32: documented, all (with 4 bits), or methods by name, comma-separated");
    choice.add(
        "tune_lm_each", options.tune_lm_each,
        "With --tune_lm, which tunes for fp32 and shares the scales: tune for each method too, and show both WERs");
    app::add_flags(parser, choice);
    app::add_flags(parser, list_options(common).without({"quantization_type", "dtype", "weight_granularity", "bits"}));
    app::add_flags(parser, list_options(sensitivity));
  };
  program.run = [&](const CLI::App&, const RunContext& context) {
    sensitivity.validate();
    PageExtras extras;
    extras.command = app::command_line(argc, argv);
    const Comparison comparison = run_comparison(
        options, choose_methods(methods, common),
        [&](const Comparison& done) { write_comparison(done, options.results_dir(), extras); }, context,
        child_process_runner());
    const auto page = options.results_dir() / "comparison.html";
    fmt::print("{}comparison: {}\n", comparison_text(comparison, comparison_metrics(), app::width_of_stdout()),
               page.string());
    if (!sensitivity.sensitivity.empty()) {
      const EvaluationSummary* fp32 = comparison.any_evaluation();
      if (options.language_model.tunes() && fp32 != nullptr && fp32->lm_scales) {
        options.language_model = options.language_model.with(*fp32->lm_scales);
      }
      const Sensitivity measured = measure_sensitivity(
          options, common, sensitivity,
          [&](const Sensitivity& done) {
            write_sensitivity(done, options.results_dir());
            extras.sensitivity = &done;
            with_comparison_lock(
                options,
                [&] {
                  if (is_published(comparison, options.results_dir())) write_comparison_page(comparison, page, extras);
                },
                context);
          },
          context);
      fmt::print("\n{}sensitivity: {}\n", sensitivity_text(measured, app::width_of_stdout()),
                 (options.results_dir() / "sensitivity.md").string());
    }
    return comparison.all_succeeded() ? kExitSuccess : kExitFailure;
  };
  return app::run_app(program, argc, argv);
}
