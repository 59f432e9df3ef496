// What quantizing each weight matrix by itself costs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/experiment/experiment.h"
#include "brainquant/scoring/bootstrap.h"

namespace brainquant {

/// Field names are the flags' names.
struct SensitivityOptions {
  std::vector<std::string> sensitivity;  // bits, "8" and "4"; empty: not measured
  std::int64_t sensitivity_trials = 60;  // of the split evaluated, evenly spread over its sessions

  /// Throws UsageError naming the option.
  void validate() const;
};

/// The options, each with its flag; they refer to `options`.
OptionList list_options(SensitivityOptions& options);

/// Which matrices are quantized in a case; the others stay fp32.
enum class QuantizedPart { all, alone, all_but };
template <>
std::span<const EnumName<QuantizedPart>> enum_names();
/// "all", "alone" (only the matrix named), "all_but" (every other one).
std::string name_of(QuantizedPart part);

/// One case, set against fp32 on the same trials. Signal-to-noise ratios are 10 log10(sum of ref^2 / sum of
/// (ref - other)^2); none where nothing differs.
struct SensitivityCase {
  std::string matrix;  // a name in the quantized file; "day_residuals.*": the day layers of all sessions; "" for `all`
  int bits = 8;
  QuantizedPart part = QuantizedPart::alone;
  std::int64_t parameters = 0;    // that are quantized
  std::optional<double> sqnr_db;  // of the logits
  double agreement_percent = 0;   // steps whose argmax is the same
  std::optional<double> per;      // %; none for test
  std::optional<RateDifference> per_difference;
  std::optional<double> wer;  // %; none without words
  std::optional<RateDifference> wer_difference;
  std::vector<std::optional<double>> layer_sqnr_db;  // of each GRU layer's hidden states
  std::vector<std::optional<double>> step_sqnr_db;   // of the logits, in each of Sensitivity::step_ranges
};

struct Sensitivity {
  std::string tool_version;
  std::string model_path;
  std::string checkpoint_sha256;
  std::string eval_type;
  std::string weight_rounding;
  std::string language_model;       // "" without words
  std::vector<std::string> trials;  // TrialId::label()
  std::int64_t steps = 0;           // of all trials
  std::optional<double> fp32_per;   // %
  std::optional<double> fp32_wer;   // %
  /// First step of each range; a range goes on to where the next one begins.
  std::vector<std::int64_t> step_ranges;
  std::vector<SensitivityCase> cases;
};

/// Runs the fp32 decoder with the weights that each case's matrices have after quantization and back; activations are
/// not quantized. Weights are rounded as `common` says, by default to nearest. Words only with the language
/// model "wfst", whose scales are given, not tuned here. Finished cases are kept in RESULTS/state/sensitivity.json, and
/// taken over by a run of the same key. `publish` is called under the lock of the sensitivity files. Throws UsageError,
/// FileError, FormatError, WorkError, Interrupted.
Sensitivity measure_sensitivity(const ExperimentOptions& options, const QuantizationOptions& common,
                                const SensitivityOptions& what, const std::function<void(const Sensitivity&)>& publish,
                                const RunContext& context = {});

}  // namespace brainquant
