#include "quantization/bits_rule.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "brainquant/support/error.h"

namespace brainquant {

bool BitsRule::matches(const std::string& name) const { return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0; }

BitsRule parse_bits_rule(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  const std::string width = equals == std::string::npos ? "" : text.substr(equals + 1);
  if (equals == 0 || (width != "4" && width != "8")) {
    throw UsageError(fmt::format("--bits: found '{}', expected PATTERN=4 or PATTERN=8", text));
  }
  return {text.substr(0, equals), width == "4" ? 4 : 8};
}

int bits_of(const std::vector<std::string>& rules, const std::string& name) {
  int bits = 8;
  for (const std::string& text : rules) {
    const BitsRule rule = parse_bits_rule(text);
    if (rule.matches(name)) bits = rule.width;
  }
  return bits;
}

void require_rules_to_match(const QuantizationOptions& options, const DecoderWeights& weights) {
  std::vector<std::string> names = {"out.weight"};
  for (std::size_t d = 0; d < weights.day_weights.size() && options.day_layers == DayLayers::quantize; ++d) {
    names.push_back(fmt::format("day_residuals.{}", d));
  }
  for (std::size_t k = 0; k < weights.gru.size(); ++k) {
    names.push_back(fmt::format("gru.weight_ih_l{}", k));
    names.push_back(fmt::format("gru.weight_hh_l{}", k));
  }
  for (const std::string& text : options.bits) {
    const BitsRule rule = parse_bits_rule(text);
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return rule.matches(name); })) continue;
    throw UsageError(fmt::format("--bits {}: no weight matrix that is quantized has such a name", text));
  }
}

}  // namespace brainquant
