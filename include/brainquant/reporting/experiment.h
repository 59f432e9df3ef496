// One method, quantized and evaluated in processes of their own; what is finished is not done again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/quantization/scheme.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// Field names are the flags' names.
struct ExperimentOptions {
  std::filesystem::path model_path;  // checkpoint folder
  std::filesystem::path output_dir;  // empty: the parent of model_path
  DatasetOptions data;
  EngineOptions engine;  // `engine` and `kernel` are for INT8 methods; the others have one engine
  LanguageModelOptions language_model;
  std::int64_t batch_size = 8;
  std::int64_t calibration_batch_size = 32;
  std::int64_t step_latency = 300;  // steps to time one by one

  /// Throws UsageError naming the option.
  void validate() const;
  std::filesystem::path effective_output_dir() const;
  /// OUTPUT_DIR/quantization_results
  std::filesystem::path results_dir() const;
};

/// What is quantized how; without options the fp32 baseline.
struct Method {
  std::optional<QuantizationOptions> quantization;

  std::string name() const;  // "fp32", "dynamic_qint8", ...
};

struct MethodOutcome {
  std::string name;
  bool succeeded = false;
  std::string problem;  // one line, if it failed
  bool reused = false;  // an earlier run's results
  std::filesystem::path model_file;
  std::filesystem::path json;  // of the evaluation
  std::filesystem::path csv;
  std::filesystem::path logits;  // HDF5
  std::filesystem::path log;     // what the processes said
  std::int64_t quantize_peak_memory_bytes = 0;
  double quantize_seconds = 0;
  EvaluationSummary evaluation;
};

/// Quantizes into OUTPUT_DIR/quantized_{type}_{dtype}/checkpoint/quantized_model.pt and evaluates into the results
/// folder. Results of an earlier run are taken only if checkpoint, options, data, split, selection of trials, machine
/// and tool version are the same and its files are as they were left. A failure of the method is an outcome; throws
/// only Interrupted and what concerns all methods (UsageError, FileError, FormatError of the checkpoint's args.yaml or
/// the data).
MethodOutcome run_method(const ExperimentOptions& options, const Method& method, const RunContext& context = {});

}  // namespace brainquant
