// Which weight matrices have how many bits, where that is chosen by hand.
#pragma once

#include <string>
#include <vector>

#include "brainquant/quantization/scheme.h"
#include "model/decoder_weights.h"

namespace brainquant {

/// An entry of QuantizationOptions::bits, "PATTERN=WIDTH".
struct BitsRule {
  std::string pattern;  // shell wildcard (POSIX fnmatch) over a matrix's name in the quantized file
  int width = 8;        // 8 or 4

  bool matches(const std::string& name) const;
};
/// Throws UsageError.
BitsRule parse_bits_rule(const std::string& text);

/// The bits of a matrix: by the last rule that its name matches, 8 by none.
int bits_of(const std::vector<std::string>& rules, const std::string& name);

/// Throws UsageError naming a rule that matches none of the model's weight matrices.
void require_rules_to_match(const QuantizationOptions& options, const DecoderWeights& weights);

}  // namespace brainquant
