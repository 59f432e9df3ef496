#include "scoring/phonemes.h"

namespace brainquant {

std::vector<int> argmax_classes(const LogitsView& logits) {
  std::vector<int> classes(static_cast<std::size_t>(logits.steps));
  for (std::int64_t step = 0; step < logits.steps; ++step) {
    const float* row = logits.values + step * logits.classes;
    int best = 0;
    for (std::int64_t c = 1; c < logits.classes; ++c) {
      if (row[c] > row[best]) best = static_cast<int>(c);
    }
    classes[static_cast<std::size_t>(step)] = best;
  }
  return classes;
}

std::vector<int> collapse_published(const std::vector<int>& classes) {
  std::vector<int> phonemes;
  for (const int c : classes) {
    if (c == kBlankClass) continue;
    if (phonemes.empty() || phonemes.back() != c) phonemes.push_back(c);
  }
  return phonemes;
}

std::vector<int> collapse_ctc(const std::vector<int>& classes) {
  std::vector<int> phonemes;
  int previous = kBlankClass;
  for (const int c : classes) {
    if (c != previous && c != kBlankClass) phonemes.push_back(c);
    previous = c;
  }
  return phonemes;
}

std::string phoneme_text(const std::vector<int>& phonemes) {
  std::string text;
  for (const int p : phonemes) {
    if (!text.empty()) text += ' ';
    const bool named = p >= 0 && static_cast<std::size_t>(p) < kPhonemeNames.size();
    text += named ? std::string(kPhonemeNames[static_cast<std::size_t>(p)]) : std::to_string(p);
  }
  return text;
}

}  // namespace brainquant
