// The small study of tests/fixtures/small_study.py, and what PyTorch and plain Python say about it.
#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace brainquant::testing {

inline const std::filesystem::path& study_folder() {
  static const std::filesystem::path folder = std::string(BRAINQUANT_FIXTURES) + "/small_study";
  return folder;
}

inline const nlohmann::json& expected() {
  static const nlohmann::json json = nlohmann::json::parse(std::ifstream(study_folder() / "expected.json"));
  return json;
}

inline nlohmann::json json_in(const std::filesystem::path& path) { return nlohmann::json::parse(std::ifstream(path)); }

/// Flags that name the study's data.
inline std::vector<std::string> data_flags() {
  return {"--data_dir", (study_folder() / "data").string(), "--csv_path", (study_folder() / "corpora.csv").string()};
}

inline std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// 100 * sum of a trial's `distance` / sum of `length` over the trials whose `key` is `value` (all without a key).
inline double expected_rate(const char* distance, const char* key = nullptr, const std::string& value = "") {
  double edits = 0;
  double length = 0;
  for (const auto& trial : expected()["val"]) {
    if (key != nullptr && trial[key] != value) continue;
    edits += trial[distance].get<double>();
    length += trial["length"].get<double>();
  }
  return 100 * edits / length;
}

}  // namespace brainquant::testing
