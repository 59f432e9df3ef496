// Uses every part of the installed library through its installed headers, so that all of it and what it depends on has
// to link.
#include <iostream>

#include "brainquant/c_api.h"
#include "brainquant/evaluation/evaluated_model.h"
#include "brainquant/evaluation/evaluator.h"
#include "brainquant/experiment/comparison.h"
#include "brainquant/experiment/program_runner.h"
#include "brainquant/language_model/wfst_language_model.h"
#include "brainquant/quantization/quantize_job.h"
#include "brainquant/reporting/comparison_report.h"
#include "brainquant/reporting/evaluation_text.h"
#include "brainquant/reporting/quantize_text.h"
#include "brainquant/runtime/streaming_decoder.h"
#include "brainquant/scoring/error_rate.h"
#include "brainquant/support/error.h"
#include "brainquant/torch/libtorch_calibration.h"
#include "brainquant/version.h"

namespace {

using namespace brainquant;

/// What a call says of a model, a data set or a graph that is not there.
template <typename Call>
void show(const char* name, Call call) {
  try {
    call();
    std::cout << name << ": no error\n";
  } catch (const Error& error) {
    std::cout << name << ": " << error.what() << '\n';
  }
}

}  // namespace

int main(int, char** arguments) {
  const std::filesystem::path nowhere = arguments[1];
  std::cout << "version " << kVersion << '\n' << normalize_sentence("It is   FIVE o'clock!") << '\n';
  show("open_model", [&] {
    const EvaluatedModel model = open_model(nowhere, {});
    StreamingDecoder decoder(std::shared_ptr<Engine>(), 0);
  });
  show("quantize", [&] {
    QuantizeJob job;
    job.model_path = nowhere;
    job.output_path = nowhere / "quantized_model.pt";
    std::cout << quantize_text(job, run_quantize_job(job, libtorch_calibration()));
  });
  show("evaluate", [&] {
    EvaluationOptions options;
    options.model_path = nowhere;
    options.language_model.skip_lm = true;
    std::cout << evaluation_text(evaluate(options).summary);
  });
  show("compare", [&] {
    ExperimentOptions options;
    options.model_path = nowhere;
    options.language_model.skip_lm = true;
    const auto publish = [&](const Comparison& comparison) { write_comparison(comparison, nowhere); };
    run_comparison(options, choose_methods({"documented"}, {}), publish, {}, child_process_runner());
  });
  show("language model", [&] { WfstLanguageModel(nowhere, WfstOptions::preset("server")); });
}
