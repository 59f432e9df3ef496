// One method, quantized and evaluated; what is finished is not done again (docs/resume.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/experiment/program_runner.h"
#include "brainquant/quantization/scheme.h"
#include "brainquant/quantization/tensor_report.h"
#include "brainquant/support/option_list.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// Field names are the flags' names.
struct ExperimentOptions {
  std::filesystem::path model_path;  // checkpoint folder
  std::filesystem::path output_dir;  // empty: the parent of model_path
  DatasetOptions data;
  // `engine` and `kernel` are for INT8 methods; the others have one engine.
  EngineOptions engine = {.engine = {}, .kernel = {}, .gpu_number = 0};
  LanguageModelOptions language_model;
  std::int64_t batch_size = 8;
  std::int64_t calibration_batch_size = 32;
  std::int64_t step_latency = 300;  // steps to time one by one
  /// A comparison with language_model.tune_lm: evaluate each method once more, with scales tuned for itself.
  bool tune_lm_each = false;
  bool force = false;    // do finished work again, and replace another model's results
  bool no_wait = false;  // another run is at work on a method: fail instead of waiting for it

  /// Throws UsageError naming the option.
  void validate() const;
  std::filesystem::path effective_output_dir() const;
  /// OUTPUT_DIR/quantization_results
  std::filesystem::path results_dir() const;
};

/// The options that have a flag, in the order of --help; they refer to `options`.
OptionList list_options(ExperimentOptions& options);

/// What is quantized how; without options the fp32 baseline.
struct Method {
  std::optional<QuantizationOptions> quantization;

  /// "fp32", "dynamic_qint8", "static_qint8-histogram": QuantizationOptions::variant_name().
  std::string name() const;
};

struct MethodOutcome {
  std::string name;  // Method::name()
  bool succeeded = false;
  std::string problem;  // one line, if it failed
  bool reused = false;  // an earlier run's results
  std::filesystem::path model_file;
  std::filesystem::path json;  // of the evaluation
  std::filesystem::path csv;
  std::filesystem::path logits;  // HDF5
  std::filesystem::path log;     // what programs that were started said
  std::int64_t quantize_peak_memory_bytes = 0;
  double quantize_seconds = 0;
  std::vector<std::pair<std::string, OptionValue>> options;  // every option of the run
  std::vector<TensorReport> tensors;                         // how well the file keeps each; none for fp32
  EvaluationSummary evaluation;
  std::optional<EvaluationSummary> own_scales;  // with scales tuned for this method: ExperimentOptions::tune_lm_each
};

/// OUTPUT_DIR/quantization_results/METHOD_SPLIT, to which ".json", ".csv" and so on are added. A selection of trials
/// has results of its own: "static_qint8_val-first5".
std::string results_stem(const ExperimentOptions& options, const Method& method);

/// Locks and runs one method; `publish` gets what succeeded while the lock is held. Throws WorkError if the method
/// failed; Interrupted; and what concerns any method: UsageError, ServerError, FileError (also for results of another
/// model that `force` does not give up), FormatError of the checkpoint's args.yaml or the data.
MethodOutcome run_experiment(const ExperimentOptions& options, const Method& method,
                             const std::function<void(const MethodOutcome&)>& publish, const RunContext& context = {},
                             const ProgramRunner& programs = in_process_runner());

}  // namespace brainquant
