// The evaluation of one model on one split: trials in, error rates, times and result files out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

struct EvaluationOutcome {
  EvaluationSummary summary;
  std::filesystem::path csv;  // the results CSV that was written
};

/// What has been said of a trial so far.
struct WordsSoFar {
  std::string label;      // TrialId::label()
  std::int64_t bins = 0;  // of 20 ms, smoothed, that have been decoded
  std::string words;      // "" if none yet
  bool final = false;     // the trial is over: its best sentence, rescored if that was asked for
};
/// Called whenever the words change, and at the end of each trial.
using WordsListener = std::function<void(const WordsSoFar&)>;

/// Decodes every trial, then makes sentences if a language model is asked for, and writes the result files, each whole
/// or not at all. Finished trials are kept in a journal (`<output_csv>.partial`, or
/// quantized_rnn_{val|test}_results.partial beside the model) until then, so that a run that was killed goes on; the
/// journal of another model, data set or set of options is not used. When the language model fails or the run is
/// interrupted meanwhile, the CSV and JSON with the phoneme results have been written. When streaming with the language
/// model "wfst", `on_words` gets the words while they come, on the caller's thread. Throws UsageError, FileError,
/// FormatError, WorkError, ServerError, Interrupted.
EvaluationOutcome evaluate(const EvaluationOptions& options, const RunContext& context = {},
                           const WordsListener& on_words = {});

}  // namespace brainquant
