// The 41 classes of the decoder's output and greedy decoding of its logits.
#pragma once

#include <string>
#include <vector>

#include "brainquant/model/logits_view.h"
#include "model/classes.h"

namespace brainquant {

inline constexpr int kBlankClass = 0;
inline constexpr int kSilenceClass = 40;

/// Index of the largest logit of each step; the lowest index among equals.
std::vector<int> argmax_classes(const LogitsView& logits);
/// The published order: blanks dropped first, then repeats merged (two equal phonemes split only by a blank become
/// one).
std::vector<int> collapse_published(const std::vector<int>& classes);
/// Textbook CTC: repeats merged first, then blanks dropped.
std::vector<int> collapse_ctc(const std::vector<int>& classes);
/// Names with single spaces between, silence as "|". Class numbers at or above 41 print as numbers.
std::string phoneme_text(const std::vector<int>& phonemes);

}  // namespace brainquant
