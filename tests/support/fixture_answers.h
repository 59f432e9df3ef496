// Arrays and other answers that a script of tests/fixtures wrote by fixture_answers.py.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/scratch_folder.h"

namespace brainquant::testing {

class FixtureAnswers {
 public:
  explicit FixtureAnswers(const std::filesystem::path& folder) : bytes_(bytes_of(folder / "expected.bin")) {
    std::ifstream file(folder / "expected.json");
    json = nlohmann::json::parse(file);
  }

  std::vector<std::int64_t> shape(const std::string& name) const { return json.at("arrays").at(name).at("shape"); }
  template <typename T>
  std::vector<T> array(const std::string& name) const {
    const nlohmann::json& entry = json.at("arrays").at(name);
    std::size_t count = 1;
    for (const std::size_t size : entry.at("shape")) count *= size;
    const std::size_t offset = entry.at("offset");
    if (offset + count * sizeof(T) > bytes_.size()) throw std::runtime_error(name + " lies outside of expected.bin");
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), bytes_.data() + offset, count * sizeof(T));
    return values;
  }

  nlohmann::json json;

 private:
  std::string bytes_;
};

}  // namespace brainquant::testing
