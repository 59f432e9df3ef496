// The names of a decoder's output classes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace brainquant {

/// In the order of the logits: the CTC blank, the 39 phonemes of ARPAbet, and the silence between words.
inline constexpr std::array<std::string_view, 41> kPhonemeNames = {
    "BLANK", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY",
    "F",     "G",  "HH", "IH", "IY", "JH", "K",  "L", "M",  "N", "NG", "OW", "OY", "P",
    "R",     "S",  "SH", "T",  "TH", "UH", "UW", "V", "W",  "Y", "Z",  "ZH", "|"};

/// The names of a decoder's classes: kPhonemeNames if it has as many, none for any other number.
inline std::vector<std::string> class_names(std::int64_t n_classes) {
  if (n_classes != static_cast<std::int64_t>(kPhonemeNames.size())) return {};
  return {kPhonemeNames.begin(), kPhonemeNames.end()};
}

}  // namespace brainquant
