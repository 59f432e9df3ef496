// The first half of an evaluation: the data set's trials through the engine into the journal, and how long they took.
#pragma once

#include "brainquant/evaluation/evaluated_model.h"
#include "brainquant/evaluation/evaluation_options.h"
#include "brainquant/evaluation/evaluation_summary.h"
#include "brainquant/support/run_context.h"
#include "evaluation/journal.h"
#include "evaluation/live_words.h"
#include "model/dataset.h"

namespace brainquant {

/// Decodes the trials that the journal lacks, and adds them to it; with `words` (null: none), their sentences as well.
/// Sets `resumed`, the times but for load_seconds, and when streaming `step` of the summary. Throws what run_pipeline()
/// and the journal throw; all that was finished by then is in the journal.
void decode_trials(const EvaluationOptions& options, EvaluatedModel& model, Dataset& dataset, Journal& journal,
                   LiveWords* words, EvaluationSummary& summary, const RunContext& context);

/// Times single steps if --step_latency asks for them and streaming has not done so; sets `step` of the summary.
void measure_single_steps(const EvaluationOptions& options, EvaluatedModel& model, Dataset& dataset,
                          EvaluationSummary& summary, const RunContext& context);

}  // namespace brainquant
