#include "brainquant/scoring/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

namespace brainquant {
namespace {

TEST(Bootstrap, IntervalIsNumpys) {
  std::ifstream file(std::string(BRAINQUANT_FIXTURES) + "/bootstrap/cases.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 4U);
  for (const nlohmann::json& c : cases) {
    std::vector<PairedCounts> trials;
    for (std::size_t i = 0; i < c["a"].size(); ++i) trials.push_back({c["a"][i], c["b"][i], c["lengths"][i]});
    const RateDifference result = paired_bootstrap(trials, c["resamples"], c["seed"].get<std::uint64_t>());
    EXPECT_NEAR(result.difference, c["difference"].get<double>(), 1e-9);
    EXPECT_NEAR(result.low, c["low"].get<double>(), 1e-9);
    EXPECT_NEAR(result.high, c["high"].get<double>(), 1e-9);
  }
}

TEST(Bootstrap, IntervalHasTheWidthOfANormalOne) {
  // Differences of +1 and -1 in turn, 10 phonemes each: the mean's standard error is 1 / sqrt(n) edits a trial.
  std::vector<PairedCounts> trials;
  for (int i = 0; i < 400; ++i) trials.push_back({5, i % 2 ? 6 : 4, 10});
  const RateDifference result = paired_bootstrap(trials);
  EXPECT_EQ(result.difference, 0);
  const double half_width = 1.96 * 100.0 / 10 / std::sqrt(400.0);
  EXPECT_NEAR(result.high, half_width, 0.06 * half_width);
  EXPECT_NEAR(result.low, -half_width, 0.06 * half_width);
}

TEST(Bootstrap, EqualMethodsHaveNoDifference) {
  const std::vector<PairedCounts> trials(5, {3, 3, 10});
  const RateDifference result = paired_bootstrap(trials);
  EXPECT_EQ(result.low, 0);
  EXPECT_EQ(result.high, 0);
  EXPECT_EQ(paired_bootstrap({}).high, 0);
}

}  // namespace
}  // namespace brainquant
