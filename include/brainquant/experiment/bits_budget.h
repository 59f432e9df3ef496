// Mixed 4 and 8 bits, chosen by what they cost: as few bytes as a budget of errors allows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/evaluation/language_model_options.h"
#include "brainquant/experiment/experiment.h"
#include "brainquant/quantization/quantize_job.h"
#include "brainquant/scoring/bootstrap.h"
#include "brainquant/support/option_list.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

/// Field names are the flags' names.
struct BudgetOptions {
  std::optional<double> max_per_increase;  // points over fp32
  std::optional<double> max_wer_increase;  // points over fp32; needs the language model "wfst"
  std::int64_t budget_trials = 400;        // of the train files, without those that calibrate

  bool is_set() const { return max_per_increase || max_wer_increase; }
  /// Throws UsageError naming the option: a value out of range, another dtype than mixed, bits chosen by hand, no
  /// language model that makes words or one whose scales are to be tuned.
  void validate(const QuantizationOptions& quantization, const LanguageModelOptions& words) const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(BudgetOptions& options);

/// What a matrix costs in 4 bits instead of 8, all others being in 8.
struct MatrixCost {
  std::string matrix;            // a pattern of --bits: a matrix's name, or "day_residuals.*" for all day layers
  std::int64_t bytes_saved = 0;  // of tensors in the file
  double noise = 0;              // added to the sum of squares of the logits' differences from fp32; at least 0

  double per_byte() const { return bytes_saved > 0 ? noise / static_cast<double>(bytes_saved) : 0; }
};

/// A model that was tried.
struct BudgetStep {
  std::int64_t matrices_in_4_bits = 0;  // the first so many of BitsChoice::costs
  std::int64_t bytes = 0;               // of its tensors
  double per = 0;                       // %
  RateDifference per_difference;        // from fp32, with its interval over the trials
  std::optional<double> wer;            // with words only
  std::optional<RateDifference> wer_difference;
  bool within_budget = false;
};

struct BitsChoice {
  BudgetOptions budget;
  std::string tool_version;
  std::string checkpoint_sha256;
  std::string language_model;       // "" without words
  std::vector<std::string> trials;  // TrialId::label()
  double fp32_per = 0;              // %
  std::optional<double> fp32_wer;
  std::vector<MatrixCost> costs;  // the cheapest byte saved first
  std::vector<BudgetStep> steps;  // as tried: from the smallest model on; the last one is taken
  std::vector<std::string> bits;  // QuantizationOptions::bits of the one taken

  const BudgetStep& taken() const { return steps.back(); }
  /// How many trials would make the interval as narrow as twice the budget's points, by 1/sqrt(trials); nothing if
  /// these are enough or the budget is 0.
  std::optional<std::int64_t> trials_that_would_tell() const;
};

/// Measures what each matrix of the job's checkpoint costs in 4 bits, puts those that save a byte most cheaply into 4
/// bits, and takes the smallest model whose errors on the budget's trials are within the budget; all in 8 bits if none
/// is. The job has dtype mixed and no bits yet. The search is kept in the JSON file `record` (docs/results-schema.md,
/// schema brainquant/bits_budget), from which another run with the same inputs goes on. Throws UsageError, FileError
/// (also for a record of another checkpoint or another file at its place, which job.force replaces), FormatError,
/// WorkError, Interrupted.
BitsChoice choose_bits(const QuantizeJob& job, const BudgetOptions& budget, const LanguageModelOptions& words,
                       const std::filesystem::path& record, const RunContext& context = {});

/// The same for an experiment; the record is RESULTS/budget_METHOD.json. options.force measures anew.
BitsChoice choose_bits(const ExperimentOptions& options, const QuantizationOptions& quantization,
                       const BudgetOptions& budget, const RunContext& context = {});

/// Where quantize_model keeps the search: OUTPUT.budget.json. Throws UsageError for a dry run, which measures nothing,
/// and for an output that is no file.
std::filesystem::path bits_record_of(const QuantizeJob& job);

}  // namespace brainquant
