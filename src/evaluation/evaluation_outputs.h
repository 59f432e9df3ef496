// What an evaluation writes: where, and when.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/evaluation/evaluation_summary.h"
#include "evaluation/journal.h"
#include "evaluation/trial_result.h"

namespace brainquant {

class EvaluationOutputs {
 public:
  /// `options` must outlive it.
  explicit EvaluationOutputs(const EvaluationOptions& options) : options_(options) {}

  /// `<output_csv>.partial`, or quantized_rnn_{val|test}_results.partial beside the model.
  std::filesystem::path journal() const;

  /// Two outputs at one path would replace each other, and an output at an input's path the input. Throws FileError
  /// naming both flags. Streams (support/atomic_file.h) may be shared.
  void refuse_shared_paths() const;

  /// Files that a run would replace are somebody's results, but for `own`, which an earlier part of this very run
  /// wrote. Throws FileError unless --force was given.
  void refuse_to_replace(const Journal::OutputNames& own = {}) const;

  /// Names the results CSV and fails now rather than after an hour's work. Throws FileError.
  void prepare();

  /// The results CSV that prepare() named.
  const std::filesystem::path& csv() const { return csv_; }

  enum class Words { none, to_come, made };
  /// Writes the files, each whole or not at all and noted in the journal before; sets summary.peak_memory_bytes before
  /// it goes into the JSON. A stream gets one document: the last.
  void write(Journal& journal, const std::vector<TrialResult>& trials, EvaluationSummary& summary, Words words) const;
  /// All trials' logits, if they are wanted.
  void write_logits(Journal& journal, const RunContext& context) const;

 private:
  const EvaluationOptions& options_;
  std::filesystem::path csv_;
};

}  // namespace brainquant
