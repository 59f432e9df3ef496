// The scores of a summary, made from the trials' results.
#pragma once

#include <vector>

#include "brainquant/evaluation/evaluation_summary.h"
#include "evaluation/trial_result.h"
#include "model/dataset.h"

namespace brainquant {

/// Sets `trials` and `too_short`, and unless the split is test `per` and `per_ctc`.
void score_trials(const std::vector<TrialResult>& trials, Split split, EvaluationSummary& summary);

/// Sets `language_model_seconds`, and unless the split is test `wer` and `worst_sentences`.
void score_sentences(const std::vector<TrialResult>& trials, Split split, EvaluationSummary& summary);

}  // namespace brainquant
