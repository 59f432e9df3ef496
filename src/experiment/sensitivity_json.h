// Cases of a sensitivity measurement in JSON, and those that are finished.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "brainquant/experiment/sensitivity.h"
#include "brainquant/support/run_key.h"

namespace brainquant {

nlohmann::ordered_json json_of(const SensitivityCase& one);

/// The finished cases, in a file that is replaced whenever there is one more.
class SensitivityState {
 public:
  /// Takes over what is in `path` if that has the same key and `anew` is not set.
  SensitivityState(std::filesystem::path path, RunKey key, bool anew);
  /// The finished case of the same matrix, bits and part; null if there is none.
  const SensitivityCase* find(const SensitivityCase& one) const;
  /// Throws FileError.
  void add(const SensitivityCase& one);

 private:
  std::filesystem::path path_;
  RunKey key_;
  std::vector<SensitivityCase> cases_;
};

}  // namespace brainquant
