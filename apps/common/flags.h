// The flags of the library's option structs. A flag is called what its field is called; values that have no meaning at
// all are refused here, everything else by the structs' validate().
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/quantization/quantize_job.h"
#include "brainquant/reporting/experiment.h"

namespace brainquant::app {

void add_data_flags(CLI::App& parser, std::filesystem::path& data_dir, std::filesystem::path& csv_path);
void add_selection_flags(CLI::App& parser, DatasetOptions& data);  // --eval_type --sessions --max_trials
void add_engine_flags(CLI::App& parser, EngineOptions& engine);    // --gpu_number --engine --kernel --threads
void add_language_model_flags(CLI::App& parser, LanguageModelOptions& options);

void add_method_flags(CLI::App& parser,
                      QuantizationOptions& options);  // --quantization_type --dtype --weight_granularity
void add_static_flags(CLI::App& parser, QuantizationOptions& options);  // --observer --day_layers --calibration_samples
void add_calibration_batch_size(CLI::App& parser, std::int64_t& batch_size);  // --calibration_batch_size

void add_quantize_flags(CLI::App& parser, QuantizeJob& job, int& gpu_number);
void add_evaluation_flags(CLI::App& parser, EvaluationOptions& options);
/// What test_all_quantization_methods and run_quantization_experiment share.
void add_experiment_flags(CLI::App& parser, ExperimentOptions& options);

}  // namespace brainquant::app
