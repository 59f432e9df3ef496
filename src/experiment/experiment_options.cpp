#include <fmt/format.h>

#include "brainquant/support/error.h"
#include "experiment/method_run.h"
#include "support/sha256.h"

namespace brainquant {

namespace fs = std::filesystem;

void ExperimentOptions::validate() const {
  EvaluationOptions evaluation;
  evaluation.data = data;
  evaluation.engine = engine;
  evaluation.language_model = language_model;
  evaluation.batch_size = batch_size;
  evaluation.step_latency = step_latency;
  evaluation.validate();
  if (tune_lm_each && !language_model.tune_lm) throw UsageError("--tune_lm_each needs --tune_lm");
  if (calibration_batch_size < 1) {
    throw UsageError(fmt::format("--calibration_batch_size: found {}, expected at least 1", calibration_batch_size));
  }
}

fs::path ExperimentOptions::effective_output_dir() const {
  if (!output_dir.empty()) return output_dir;
  // "MODEL/" and "MODEL" are the same folder.
  const fs::path model = fs::absolute(model_path).lexically_normal();
  return model.has_filename() ? model.parent_path() : model.parent_path().parent_path();
}

fs::path ExperimentOptions::results_dir() const { return effective_output_dir() / "quantization_results"; }

OptionList list_options(ExperimentOptions& options) {
  OptionList list;
  list.add("model_path", options.model_path, "Folder of the trained model").is_required();
  list.add("output_dir", options.output_dir, "Folder for results; default: the parent of --model_path");
  list.add(list_data_options(options.data));
  list.add(list_selection_options(options.data));
  list.add(list_options(options.engine));
  list.add("batch_size", options.batch_size, "Trials decoded together").that_decides(Decides::decoding);
  list.add("calibration_batch_size", options.calibration_batch_size, "Static types: trials held in memory at once");
  list.add(list_options(options.language_model));
  list.add("force", options.force, "Repeat finished steps, and replace another model's results");
  list.add("no_wait", options.no_wait, "Fail instead of waiting for another run of the same method");
  return list;
}

std::string Method::name() const { return quantization ? quantization->variant_name() : "fp32"; }

std::string results_stem(const ExperimentOptions& options, const Method& method) {
  constexpr std::size_t kLongestSelection = 60;
  DatasetOptions data;
  const OptionList list = list_selection_options(data).without({"eval_type"});
  data = options.data;
  std::string selection = list.suffix(Decides::decoding);
  if (selection.size() > kLongestSelection || selection.find('/') != std::string::npos) {
    selection = "-of_" + sha256_of_bytes(selection.data(), selection.size()).substr(0, 16);
  }
  return fmt::format("{}_{}{}", method.name(), name_of(options.data.split), selection);
}

QuantizeJob quantize_job_of(const ExperimentOptions& options, const QuantizationOptions& quantization) {
  QuantizeJob job;
  job.model_path = options.model_path;
  job.options = quantization;
  job.data_dir = options.data.data_dir;
  job.csv_path = options.data.csv_path;
  job.calibration_batch_size = options.calibration_batch_size;
  job.threads = options.engine.threads;
  return job;
}

RunLock lock_results(const ExperimentOptions& options, const std::string& name, const std::string& what,
                     const RunContext& context) {
  return RunLock(options.results_dir() / "locks" / (name + ".lock"),
                 fmt::format("{} in {}", what, options.effective_output_dir().string()),
                 options.no_wait ? WhenLocked::refuse : WhenLocked::wait, context);
}

RunLock lock_method(const ExperimentOptions& options, const Method& method, const RunContext& context) {
  return lock_results(options, method.name(), method.name(), context);
}

RunLock lock_comparison(const ExperimentOptions& options, const RunContext& context) {
  return lock_results(options, "comparison", "the comparison", context);
}

RunLock lock_sensitivity(const ExperimentOptions& options, const RunContext& context) {
  return lock_results(options, "sensitivity", "the sensitivity measurement", context);
}

}  // namespace brainquant
