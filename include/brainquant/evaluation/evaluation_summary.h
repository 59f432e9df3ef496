// The result of an evaluation as its JSON file holds it (docs/results-schema.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "brainquant/evaluation/evaluated_model.h"
#include "brainquant/evaluation/language_model_options.h"
#include "brainquant/scoring/error_rate.h"
#include "brainquant/support/option_list.h"
#include "brainquant/support/run_key.h"

namespace brainquant {

struct TrialResult;

inline constexpr int kResultsSchemaVersion = 1;

/// One error rate of all trials and of groups of them; each is 100 * sum of edit distances / sum of true lengths.
struct GroupedErrorRate {
  ErrorRate total;
  EditCounts edits;  // of all trials
  std::map<std::string, ErrorRate> sessions;
  std::map<std::string, ErrorRate> corpora;

  void add(const TrialResult& trial, const EditCounts& trial_edits, std::int64_t true_length);
};

/// A trial's normalised true and predicted sentence, side by side.
struct SentenceExample {
  std::string label;  // TrialId::label()
  std::vector<AlignedWords> words;
};

/// One trial's counts and texts: what paired comparisons need.
struct TrialScore {
  std::string label;  // TrialId::label()
  std::string corpus;
  std::int64_t bins = 0;
  std::int64_t steps = 0;
  std::int64_t true_length = 0;  // phonemes
  std::int64_t distance = 0;     // published order
  std::int64_t distance_ctc = 0;
  std::int64_t true_words = 0;
  std::int64_t word_distance = 0;
  // Files of earlier versions lack what follows.
  std::string true_phonemes = {};              // names with single spaces between; "" in test
  std::string true_sentence = {};              // as recorded; "" in test
  std::optional<std::string> sentence = {};    // the language model's, as it came
  std::optional<double> sentence_margin = {};  // of its score above the second best candidate's

  std::string session() const { return label.substr(0, label.find('/')); }
};

/// A pair of scales and the edits it costs over all trials that it was tried on.
struct TriedScales : LmScales {
  std::int64_t word_distance = 0;
};

/// How --tune_lm found the language model's scales.
struct LmTuning {
  std::vector<std::string> trials;  // labels, of the train split
  std::int64_t true_words = 0;
  std::vector<TriedScales> tried;  // by acoustic_scale, then blank_penalty

  double wer(const TriedScales& scales) const;
};

/// Of a set of times, in milliseconds.
struct LatencySummary {
  std::int64_t count = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};
/// Of a histogram: times from `from_ms` on and below `to_ms`.
struct LatencyBin {
  double from_ms = 0;
  double to_ms = 0;
  std::int64_t count = 0;
};
struct StepReport {
  LatencySummary work;      // of a whole step
  LatencySummary last_bin;  // from a step's last bin to its logits
  double budget_ms = 0;
  // Files of earlier versions lack what follows.
  std::optional<std::int64_t> late = {};   // steps whose work took longer than the budget
  std::vector<LatencyBin> histogram = {};  // of the work: 20 bins for each factor of ten, from the fastest step's on to
                                           // the slowest one's
};

/// Times of the engine alone (model) and of the whole pipeline (wall), trials that earlier, killed runs finished left
/// out.
struct TimingReport {
  std::int64_t trials = 0;    // that the times are of
  double signal_seconds = 0;  // their length, 20 ms a bin
  double model_seconds = 0;
  double wall_seconds = 0;
  double load_seconds = 0;  // opening the model
  /// Of one trial in the engine: median, 10 % and 90 % quantile over the trials.
  double model_ms_p10 = 0;
  double model_ms_p50 = 0;
  double model_ms_p90 = 0;
  /// How much of its time in the engine the decoding thread had a core for itself: CPU time by wall time, 1 at best.
  double core_share = 1;

  double model_ms_per_trial() const { return trials > 0 ? 1e3 * model_seconds / static_cast<double>(trials) : 0; }
  double wall_ms_per_trial() const { return trials > 0 ? 1e3 * wall_seconds / static_cast<double>(trials) : 0; }
  /// Seconds in the engine for each second of signal.
  double real_time_factor() const { return signal_seconds > 0 ? model_seconds / signal_seconds : 0; }
};

/// Below this share of a core the times are longer than the engine's own.
inline constexpr double kLeastCoreShare = 0.9;

/// On what a result was measured.
struct MachineFacts {
  std::string cpu;  // "AMD EPYC 9R14", as /proc/cpuinfo names it; "unknown" where it doesn't
  int cores = 0;    // that this process may use
  std::string libtorch_version;
};
struct EvaluationSummary {
  std::string tool_version;
  std::string git_commit;                                    // of the tool; "" outside a clone
  RunKey run_key;                                            // everything that decided these results (docs/resume.md)
  std::vector<std::pair<std::string, OptionValue>> options;  // every option of the evaluation
  ModelFacts model;
  std::string engine;
  std::string instructions;
  int threads = 0;
  std::int64_t batch_size = 0;
  bool streaming = false;
  MachineFacts machine;
  std::string eval_type;                // "val" or "test"
  std::string data_fingerprint;         // SHA-256 of Dataset::fingerprint()
  bool for_testing = false;             // --sessions or --max_trials left trials out
  std::int64_t too_short = 0;           // trials without a step
  std::int64_t resumed = 0;             // trials taken over from an earlier, killed run
  std::optional<GroupedErrorRate> per;  // none for test
  std::optional<GroupedErrorRate> per_ctc;
  std::string language_model;         // "" if none was used
  std::optional<LmScales> lm_scales;  // that the sentences were made with; none but for wfst
  std::optional<LmTuning> lm_tuning;
  std::optional<GroupedErrorRate> wer;
  std::vector<SentenceExample> worst_sentences;  // a few
  double language_model_seconds = 0;
  TimingReport timing;
  std::optional<StepReport> step;
  std::int64_t peak_memory_bytes = 0;
  std::vector<TrialScore> trials;
};

/// Indented JSON with a line break at the end. The same text as long as the summary is the same.
std::string evaluation_json(const EvaluationSummary& summary);

/// Reads what evaluation_json() wrote. Throws FileError, FormatError (no JSON, another schema or version, a missing
/// field).
EvaluationSummary read_evaluation_json(const std::filesystem::path& path);

}  // namespace brainquant
