#include "evaluation/scores.h"

#include <algorithm>
#include <utility>

namespace brainquant {

void GroupedErrorRate::add(const TrialResult& trial, const EditCounts& trial_edits, std::int64_t true_length) {
  const std::int64_t distance = trial_edits.distance();
  total.add(distance, true_length);
  edits.substitutions += trial_edits.substitutions;
  edits.deletions += trial_edits.deletions;
  edits.insertions += trial_edits.insertions;
  sessions[trial.session].add(distance, true_length);
  corpora[trial.corpus].add(distance, true_length);
}

GroupedErrorRate phoneme_error_rate(std::span<const TrialResult> trials) {
  GroupedErrorRate rate;
  for (const TrialResult& trial : trials) {
    rate.add(trial, trial.phoneme_edits(), static_cast<std::int64_t>(trial.true_phonemes.size()));
  }
  return rate;
}

GroupedErrorRate phoneme_error_rate_ctc(std::span<const TrialResult> trials) {
  GroupedErrorRate rate;
  for (const TrialResult& trial : trials) {
    rate.add(trial, trial.phoneme_edits_ctc(), static_cast<std::int64_t>(trial.true_phonemes.size()));
  }
  return rate;
}

GroupedErrorRate word_error_rate(std::span<const TrialResult> trials) {
  GroupedErrorRate rate;
  for (const TrialResult& trial : trials) rate.add(trial, trial.word_edits(), trial.true_words());
  return rate;
}

std::vector<SentenceExample> worst_sentences(std::span<const TrialResult> trials, std::size_t count) {
  std::vector<std::pair<std::int64_t, const TrialResult*>> wrong;
  for (const TrialResult& trial : trials) {
    const std::int64_t distance = trial.word_edits().distance();
    if (distance > 0) wrong.emplace_back(distance, &trial);
  }
  std::stable_sort(wrong.begin(), wrong.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  wrong.resize(std::min(wrong.size(), count));
  std::vector<SentenceExample> examples;
  for (const auto& [distance, trial] : wrong) {
    examples.push_back({trial->label(), align_words(words_of(normalize_sentence(trial->true_sentence)),
                                                    words_of(normalize_sentence(trial->sentence.value_or(""))))});
  }
  return examples;
}

}  // namespace brainquant
