// Error rates of an evaluation: in total, per session and per corpus.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "brainquant/decoding/error_rate.h"
#include "brainquant/evaluation/trial_result.h"

namespace brainquant {

/// One error rate of all trials and of groups of them; each is 100 * sum of edit distances / sum of true lengths.
struct GroupedErrorRate {
  ErrorRate total;
  EditCounts edits;  // of all trials
  std::map<std::string, ErrorRate> sessions;
  std::map<std::string, ErrorRate> corpora;

  void add(const TrialResult& trial, const EditCounts& trial_edits, std::int64_t true_length);
};

GroupedErrorRate phoneme_error_rate(std::span<const TrialResult> trials);
GroupedErrorRate phoneme_error_rate_ctc(std::span<const TrialResult> trials);
GroupedErrorRate word_error_rate(std::span<const TrialResult> trials);

/// A trial's normalised true and predicted sentence, side by side.
struct SentenceExample {
  std::string label;  // TrialId::label()
  std::vector<AlignedWords> words;
};

/// The trials with the most wrong words, at most `count`, worst first (of equals the first ones); none without an
/// error.
std::vector<SentenceExample> worst_sentences(std::span<const TrialResult> trials, std::size_t count);

}  // namespace brainquant
