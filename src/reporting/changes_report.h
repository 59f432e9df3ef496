// What a method changes, as text, as a file of Markdown and in the comparison's JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "brainquant/experiment/comparison.h"

namespace brainquant {

/// "T > D": the baseline's and the method's word or phoneme, "-" for none.
std::string change_text(const std::string& before, const std::string& after);

/// In how many sentences the method's words and phonemes differ, and its five most frequent phoneme confusions; of a
/// method whose changes are known.
std::string changes_line(const ComparedMethod& method);

/// `methods[].changes` of docs/results-schema.md.
nlohmann::ordered_json json_of(const std::optional<MethodChanges>& changes);

}  // namespace brainquant
