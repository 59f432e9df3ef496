#include "brainquant/evaluation/evaluation_options.h"

#include <fmt/format.h>

#include "brainquant/support/error.h"
#include "support/cores.h"

namespace brainquant {

namespace {

constexpr std::int64_t kMostTrialsInABatch = 4096;

}  // namespace

void EvaluationOptions::validate() const {
  if (data.split == Split::train) throw UsageError("--eval_type: found 'train', expected val or test");
  if (data.max_trials && *data.max_trials < 1) {
    throw UsageError(fmt::format("--max_trials: found {}, expected at least 1", *data.max_trials));
  }
  if (batch_size < 1 || batch_size > kMostTrialsInABatch) {
    throw UsageError(fmt::format("--batch_size: found {}, expected 1 to {}", batch_size, kMostTrialsInABatch));
  }
  if (step_latency < 0) {
    throw UsageError(fmt::format("--step_latency: found {}, expected at least 0", step_latency));
  }
  validate_threads(engine.threads);
  if (!submission_csv.empty() && language_model.skip_lm) {
    throw UsageError("--submission_csv holds sentences: it contradicts --skip_lm");
  }
  if (!output_nbest.empty() && (language_model.skip_lm || !language_model.takes_trials_at_once())) {
    throw UsageError("--output_nbest requires --lm wfst");
  }
  language_model.validate();
}

OptionList list_options(EvaluationOptions& options) {
  OptionList list;
  list.add("model_path", options.model_path, "Quantized file, or a checkpoint folder (the fp32 baseline)")
      .is_required();
  list.add(list_data_options(options.data));
  list.add(list_selection_options(options.data));
  list.add(list_options(options.engine));
  list.add("batch_size", options.batch_size, "Trials decoded together").that_decides(Decides::decoding);
  list.add("streaming", options.streaming,
           "Decode bin by bin, as a live system does, and time each step; with --lm wfst, print words as they come")
      .that_decides(Decides::decoding);
  list.add("step_latency", options.step_latency, "Time N single steps after the evaluation")
      .that_decides(Decides::decoding);
  list.add(list_options(options.language_model));
  list.add("output_csv", options.output_csv,
           "Results CSV; default: quantized_rnn_{val|test}_results_TIME.csv beside the model");
  list.add("output_json", options.output_json, "Results as JSON, with scores and times (docs/results-schema.md)");
  list.add("output_trials", options.output_trials,
           "CSV with a row for each trial: counts, distances, texts and time (docs/results-schema.md)");
  list.add("output_nbest", options.output_nbest,
           "wfst: JSON lines with the candidate sentences of each trial and their scores (docs/results-schema.md)");
  list.add("submission_csv", options.submission_csv, "Competition file with the columns id,text");
  list.add("save_logits", options.save_logits, "File for the logits of all trials: NPZ if it ends in .npz, else HDF5");
  list.add("force", options.force, "Replace existing files");
  list.add("no_wait", options.no_wait, "Fail instead of waiting for another run that is writing the same results");
  return list;
}

}  // namespace brainquant
