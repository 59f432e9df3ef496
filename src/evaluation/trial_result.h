// What is known of one trial once it has been decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brainquant/language_model/language_model.h"
#include "brainquant/scoring/error_rate.h"
#include "io/trial_id.h"

namespace brainquant {

/// What a language model made of one trial.
struct MadeSentence {
  std::string text;              // "" if nothing was recognised
  std::optional<double> margin;  // of its score above the second best candidate's; none without a second one
  double seconds = 0;            // in the language model
  std::optional<std::vector<SentenceCandidate>> candidates = {};  // best first, if they are to be kept
};

struct TrialResult : TrialId {
  std::size_t index = 0;  // place in the data set's order
  std::int64_t block = 0;
  std::int64_t trial_num = 0;
  std::string corpus;
  std::int64_t bins = 0;                  // as recorded, 20 ms each
  std::int64_t steps = 0;                 // 0: too short for one step
  std::vector<int> phonemes;              // predicted, in the published order (blanks dropped, then repeats merged)
  std::vector<int> phonemes_ctc;          // predicted, textbook CTC
  std::vector<int> true_phonemes;         // empty in test
  std::string true_sentence;              // empty in test
  double model_seconds = 0;               // its share of its batch's time in the engine, by bins
  std::optional<std::string> sentence;    // predicted by the language model
  std::optional<double> sentence_margin;  // MadeSentence::margin
  double language_model_seconds = 0;
  std::optional<std::vector<SentenceCandidate>> candidates;  // MadeSentence::candidates
  bool resumed = false;  // an earlier, killed run decoded it: model_seconds are of that run

  EditCounts phoneme_edits() const { return edit_counts(true_phonemes, phonemes); }
  EditCounts phoneme_edits_ctc() const { return edit_counts(true_phonemes, phonemes_ctc); }
  /// Of the normalised sentences. No sentence counts as an empty one.
  EditCounts word_edits() const;
  /// Words of the true sentence, normalised.
  std::int64_t true_words() const;
};

}  // namespace brainquant
