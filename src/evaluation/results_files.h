// The result files of trials that people, programs and the competition read: CSV (io/csv.h) with columns as documented,
// and JSON lines.
#pragma once

#include <span>
#include <string>

#include "evaluation/trial_result.h"
#include "model/dataset.h"

namespace brainquant {

/// session,block,trial,pred_phonemes and, unless the split is test, true_phonemes. Phoneme names with single spaces
/// between.
std::string phonemes_csv(std::span<const TrialResult> trials, Split split);

/// session,block,trial,true_sentence,pred_sentence and, unless the split is test, edit_distance,num_words (of the
/// normalised sentences). Sentences as they came; true_sentence is empty for test.
std::string sentences_csv(std::span<const TrialResult> trials, Split split);

/// Everything that is known of each trial (docs/results-schema.md), in the order given. A cell without a value is
/// empty: what needs the truth in test, `with_words` being false what the language model made, the time of a trial that
/// this run did not put through the engine.
std::string trials_csv(std::span<const TrialResult> trials, Split split, bool with_words);

/// A line of JSON for each trial (docs/results-schema.md): its label and its candidates, best first, none where nothing
/// was recognised.
std::string nbest_lines(std::span<const TrialResult> trials);

/// The competition's id,text; id counts the trials from 0.
std::string submission_csv(std::span<const TrialResult> trials);

}  // namespace brainquant
