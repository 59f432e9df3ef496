// What tests/fixtures/float_decoder.py wrote.
#pragma once

#include <filesystem>

#include "support/fixture_answers.h"

namespace brainquant::testing {

struct FloatDecoderAnswers : FixtureAnswers {
  FloatDecoderAnswers() : FixtureAnswers(folder()) {}
  static std::filesystem::path folder() { return std::filesystem::path(BRAINQUANT_FIXTURES) / "float_decoder"; }
};

}  // namespace brainquant::testing
