// The methods side by side, against the fp32 baseline.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/experiment/changes.h"
#include "brainquant/experiment/experiment.h"
#include "brainquant/scoring/bootstrap.h"

namespace brainquant {

/// How far a method's logits are from the baseline's, over all steps of all trials.
struct LogitsDifference {
  std::int64_t steps = 0;
  double sqnr_db = 0;            // 10 log10(sum of ref^2 / sum of (ref - other)^2); infinity when they are equal
  double agreement_percent = 0;  // steps whose argmax is the same
};

/// Reads two files of logits trial by trial. Throws FileError, FormatError (not the same trials and shapes).
LogitsDifference compare_logits(const std::filesystem::path& reference, const std::filesystem::path& other,
                                const RunContext& context = {});

struct ComparedMethod {
  MethodOutcome outcome;
  // Against the baseline; none for the baseline itself, and when either failed.
  std::optional<RateDifference> per_difference;  // points; none for test
  std::optional<RateDifference> wer_difference;  // points; none without a language model
  std::optional<LogitsDifference> logits;
  std::optional<MethodChanges> changes = {};  // none, too, of results that an earlier version left without their texts

  /// PER is clearly better (or worse) than the baseline's and WER clearly the other way round, by clear_side_of().
  bool per_and_wer_disagree() const;
};

struct Comparison {
  std::string tool_version;
  std::string eval_type;
  bool for_testing = false;
  std::vector<ComparedMethod> methods;  // the baseline first

  bool all_succeeded() const;
  /// The first method that succeeded, for facts that all share; null if none did.
  const EvaluationSummary* any_evaluation() const;
};

/// Sets every method against the first one. Throws what compare_logits throws; WorkError if two evaluations are not of
/// the same trials.
Comparison compare_methods(std::vector<MethodOutcome> outcomes, const ExperimentOptions& options,
                           const RunContext& context = {});

/// The baseline and then the methods that `names` name, each once: "documented" the four documented ones, "all" these
/// and the two of 4 bits, or a method by its own name ("dynamic_qint4"). Each has the options of `common` that apply to
/// it (observer, day_layers, calibration_samples, weight_rounding, gptq_samples). Throws UsageError naming --methods
/// for another name.
std::vector<Method> choose_methods(const std::vector<std::string>& names, const QuantizationOptions& common);

/// Runs the methods one after the other and compares them; a failed one does not stop the others. With
/// options.language_model.tune_lm the language model's scales are tuned for the first method, and all have them. The
/// locks of all methods are held until `publish`, which gets the comparison under a lock of its own, returns: what it
/// writes is of the files that lie there. Throws what run_experiment() throws, but for a method that failed.
Comparison run_comparison(const ExperimentOptions& options, const std::vector<Method>& methods,
                          const std::function<void(const Comparison&)>& publish, const RunContext& context = {},
                          const ProgramRunner& programs = in_process_runner());

/// Calls `publish` under the lock of comparison.*, for what is added to a comparison later.
void with_comparison_lock(const ExperimentOptions& options, const std::function<void()>& publish,
                          const RunContext& context = {});

}  // namespace brainquant
