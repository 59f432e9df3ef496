#include "evaluation/summary_scores.h"

#include "evaluation/scores.h"
#include "scoring/phonemes.h"

namespace brainquant {

namespace {

constexpr std::size_t kExamples = 3;  // of sentences that went wrong

TrialScore score_of(const TrialResult& trial, bool labelled) {
  TrialScore score;
  score.label = trial.label();
  score.corpus = trial.corpus;
  score.bins = trial.bins;
  score.steps = trial.steps;
  score.sentence = trial.sentence;
  score.sentence_margin = trial.sentence_margin;
  if (!labelled) return score;
  score.true_phonemes = phoneme_text(trial.true_phonemes);
  score.true_sentence = trial.true_sentence;
  score.true_length = static_cast<std::int64_t>(trial.true_phonemes.size());
  score.distance = trial.phoneme_edits().distance();
  score.distance_ctc = trial.phoneme_edits_ctc().distance();
  score.true_words = trial.true_words();
  if (trial.sentence) score.word_distance = trial.word_edits().distance();
  return score;
}

}  // namespace

void score_trials(const std::vector<TrialResult>& trials, Split split, EvaluationSummary& summary) {
  const bool labelled = split != Split::test;
  summary.trials.clear();
  summary.too_short = 0;
  for (const TrialResult& trial : trials) {
    if (trial.steps == 0) ++summary.too_short;
    summary.trials.push_back(score_of(trial, labelled));
  }
  if (!labelled) return;
  summary.per = phoneme_error_rate(trials);
  summary.per_ctc = phoneme_error_rate_ctc(trials);
}

void score_sentences(const std::vector<TrialResult>& trials, Split split, EvaluationSummary& summary) {
  summary.language_model_seconds = 0;
  for (const TrialResult& trial : trials) summary.language_model_seconds += trial.language_model_seconds;
  if (split == Split::test) return;
  summary.wer = word_error_rate(trials);
  summary.worst_sentences = worst_sentences(trials, kExamples);
}

}  // namespace brainquant
