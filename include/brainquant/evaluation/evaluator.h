// The evaluation of one model on one split: trials in, error rates, times and result files out.
#pragma once

#include <filesystem>

#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/support/run_context.h"

namespace brainquant {

struct EvaluationOutcome {
  EvaluationSummary summary;
  std::filesystem::path csv;  // the results CSV that was written
};

/// Decodes every trial, then makes sentences if a language model is asked for, and writes the result files, each whole
/// or not at all. Finished trials are kept in a journal (`<output_csv>.partial`, or
/// quantized_rnn_{val|test}_results.partial beside the model) until then, so that a run that was killed goes on; the
/// journal of another model, data set or set of options is not used. When the language model fails or the run is
/// interrupted meanwhile, the CSV and JSON with the phoneme results have been written. Throws UsageError, FileError,
/// FormatError, WorkError, ServerError, Interrupted.
EvaluationOutcome evaluate(const EvaluationOptions& options, const RunContext& context = {});

}  // namespace brainquant
