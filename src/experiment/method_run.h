// One method's work, its files and its lock: what an experiment and a comparison are made of.
#pragma once

#include "brainquant/experiment/experiment.h"
#include "brainquant/quantization/quantize_job.h"
#include "support/run_lock.h"

namespace brainquant {

/// The lock locks/NAME.lock in the results folder; `what` is what a run that waits for it is told of.
RunLock lock_results(const ExperimentOptions& options, const std::string& name, const std::string& what,
                     const RunContext& context);
/// The lock under which one method's files are written, and those for comparison.* and sensitivity.*.
RunLock lock_method(const ExperimentOptions& options, const Method& method, const RunContext& context);
RunLock lock_comparison(const ExperimentOptions& options, const RunContext& context);
RunLock lock_sensitivity(const ExperimentOptions& options, const RunContext& context);

/// Throws FileError, naming both models, if what lies at the method's paths is another model's and not to be replaced
/// (ExperimentOptions::force).
void refuse_results_of_another_model(const ExperimentOptions& options, const Method& method,
                                     const RunContext& context = {});

/// The job that quantizes as an experiment's options say; it has no output_path yet.
QuantizeJob quantize_job_of(const ExperimentOptions& options, const QuantizationOptions& quantization);

/// The evaluation alone once more, of a method that run_method() has finished, with scales that are tuned for it
/// (options.language_model.tune_lm) and results of its own: METHOD_SPLIT-own_scales.json. Its file is not made again.
MethodOutcome run_with_own_scales(const ExperimentOptions& options, const Method& method, const RunLock& lock,
                                  const ProgramRunner& programs, const RunContext& context = {});

/// What runs share: validates, says which options are not used, resolves the GPU number, and makes sure that a
/// language-model server answers before hours of work. Throws UsageError, ServerError, Interrupted.
ExperimentOptions resolved(const ExperimentOptions& given, const RunContext& context = {});

/// Quantizes into OUTPUT_DIR/quantized_NAME/checkpoint/quantized_model.pt and evaluates into the results folder, under
/// `lock`, which the caller holds until everything that tells of the results has been written. Results of an earlier
/// run are taken only if their run key is the same and their files are as they were left. A failure of the method is an
/// outcome. `options` are resolved ones. Throws only Interrupted and what concerns all methods (UsageError; FileError,
/// also of refuse_results_of_another_model(); FormatError of the checkpoint's args.yaml or the data).
MethodOutcome run_method(const ExperimentOptions& options, const Method& method, const RunLock& lock,
                         const ProgramRunner& programs, const RunContext& context = {});

}  // namespace brainquant
