// What tests/fixtures/recordings.py wrote, for the tests that read it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/dataset.h"

namespace brainquant {

inline constexpr std::int64_t kRecordedFeatures = 4;

/// The features of trial k by the fixture's formula.
inline std::vector<float> recorded_features(std::int64_t bins, std::int64_t k) {
  std::vector<float> values;
  for (std::int64_t t = 0; t < bins; ++t) {
    for (std::int64_t f = 0; f < kRecordedFeatures; ++f) {
      values.push_back(static_cast<float>((31 * t + 7 * f + 13 * k) % 101) / 8.0F - 6.0F);
    }
  }
  return values;
}

/// Sessions not in the order of their dates; the third has no files.
inline DecoderConfig recorded_config() {
  DecoderConfig config;
  config.n_input_features = kRecordedFeatures;
  config.sessions = {"t15.2023.08.13", "t15.2023.08.11", "t15.2023.09.01", "t15.2023.08.18"};
  return config;
}

inline DatasetOptions recorded_options(const std::filesystem::path& folder, Split split = Split::val) {
  DatasetOptions options;
  options.data_dir = folder / "data";
  options.csv_path = folder / "t15_copyTaskData_description.csv";
  options.split = split;
  return options;
}

inline std::filesystem::path recordings(const std::string& name) {
  return std::filesystem::path(BRAINQUANT_FIXTURES) / "recordings" / name;
}

/// Keeps what the library says.
struct KeptLog : Log {
  void info(const std::string& message) override { infos.push_back(message); }
  void warning(const std::string& message) override { warnings.push_back(message); }
  std::vector<std::string> infos;
  std::vector<std::string> warnings;
};

}  // namespace brainquant
