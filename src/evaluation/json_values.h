// How keys and options stand in JSON files.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "brainquant/support/option_list.h"
#include "brainquant/support/run_key.h"

namespace brainquant {

using OptionValues = std::vector<std::pair<std::string, OptionValue>>;

nlohmann::ordered_json json_of(const RunKey& key);
/// Throws ordered_json::exception.
RunKey run_key_of(const nlohmann::ordered_json& json);

nlohmann::ordered_json json_of(const OptionValue& value);
nlohmann::ordered_json json_of(const OptionValues& values);
/// Throws ordered_json::exception.
OptionValues option_values_of(const nlohmann::ordered_json& json);

/// A text that need not be UTF-8, which JSON's strings must be: a string where it is, else {"hex": "..."}.
nlohmann::ordered_json json_of_bytes(const std::string& bytes);
/// Throws ordered_json::exception.
std::string bytes_of_json(const nlohmann::ordered_json& json);

/// Indented, with a line break at the end; bytes that are not UTF-8 are replaced.
std::string json_text(const nlohmann::ordered_json& json);

}  // namespace brainquant
