// Error rates of an evaluation: in total, per session and per corpus.
#pragma once

#include <span>
#include <vector>

#include "brainquant/evaluation/evaluation_summary.h"
#include "evaluation/trial_result.h"

namespace brainquant {

GroupedErrorRate phoneme_error_rate(std::span<const TrialResult> trials);
GroupedErrorRate phoneme_error_rate_ctc(std::span<const TrialResult> trials);
GroupedErrorRate word_error_rate(std::span<const TrialResult> trials);

/// The trials with the most wrong words, at most `count`, worst first (of equals the first ones); none without an
/// error.
std::vector<SentenceExample> worst_sentences(std::span<const TrialResult> trials, std::size_t count);

}  // namespace brainquant
