// What an evaluation is asked to do. Field names are the flags' names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "brainquant/evaluation/language_model_options.h"
#include "brainquant/model/dataset_options.h"
#include "brainquant/runtime/engine_options.h"

namespace brainquant {

struct EvaluationOptions {
  std::filesystem::path model_path;  // a quantized file, or a checkpoint folder: the fp32 baseline
  DatasetOptions data;               // data_dir, csv_path, eval_type (split), sessions, max_trials
  EngineOptions engine = {.engine = {}, .kernel = {}, .gpu_number = 0};  // as asked for, before resolve_gpu_number()
  LanguageModelOptions language_model;
  std::int64_t batch_size = 8;           // trials that the engine gets at once
  bool streaming = false;                // bin by bin instead of whole trials
  std::int64_t step_latency = 0;         // steps to time one by one after the evaluation; 0: none
  std::filesystem::path output_csv;      // empty: quantized_rnn_{val|test}_results_YYYYmmdd_HHMMSS.csv beside the model
  std::filesystem::path output_json;     // empty: none
  std::filesystem::path output_trials;   // empty: none; a CSV with a row for each trial
  std::filesystem::path output_nbest;    // empty: none; JSON lines of each trial's candidates, needs lm wfst
  std::filesystem::path submission_csv;  // empty: none; needs a language model
  std::filesystem::path save_logits;     // empty: none; NPZ if it ends in .npz, else HDF5
  bool force = false;                    // replace what lies at the outputs' paths
  bool no_wait = false;                  // another run is writing these results: fail instead of waiting for it

  /// Throws UsageError naming the option: a value outside its range, a train split, a submission without a language
  /// model, candidates without the embedded one.
  void validate() const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(EvaluationOptions& options);

}  // namespace brainquant
