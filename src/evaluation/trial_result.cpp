#include "evaluation/trial_result.h"

namespace brainquant {

EditCounts TrialResult::word_edits() const {
  return edit_counts(words_of(normalize_sentence(true_sentence)), words_of(normalize_sentence(sentence.value_or(""))));
}

std::int64_t TrialResult::true_words() const {
  return static_cast<std::int64_t>(words_of(normalize_sentence(true_sentence)).size());
}

}  // namespace brainquant
