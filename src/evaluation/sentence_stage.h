// The second half of an evaluation: sentences from the logits that the journal holds.
#pragma once

#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"
#include "brainquant/support/run_context.h"
#include "evaluation/journal.h"
#include "evaluation/trial_result.h"

namespace brainquant {

/// Whether the journal gets all of a trial's candidates, or only the best one.
enum class Candidates { forget, keep };

/// The best of a language model's candidates, without a time.
MadeSentence best_of(std::vector<SentenceCandidate> candidates, Candidates rest);

/// Asks the language model for every trial that has no sentence of `maker` yet, or none with the candidates to keep, on
/// `threads` threads (1 if the model takes one trial at a time), and adds what it says to the journal. Throws what the
/// model or the journal throws; all that was finished by then is in the journal.
void make_sentences(LanguageModel& language_model, const std::string& maker, Candidates rest, int threads,
                    Journal& journal, const RunContext& context);

}  // namespace brainquant
