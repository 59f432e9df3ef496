#include "brainquant/scoring/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "brainquant/support/error.h"

namespace brainquant {
namespace {

TEST(Bootstrap, IntervalIsNumpys) {
  std::ifstream file(std::string(BRAINQUANT_FIXTURES) + "/bootstrap/cases.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_EQ(cases.size(), 5U);
  for (const nlohmann::json& c : cases) {
    std::vector<PairedCounts> trials;
    for (std::size_t i = 0; i < c["a"].size(); ++i) trials.push_back({c["a"][i], c["b"][i], c["lengths"][i]});
    const RateDifference result = paired_bootstrap(trials, c["resamples"], c["seed"].get<std::uint64_t>());
    EXPECT_NEAR(result.difference, c["difference"].get<double>(), 1e-9);
    EXPECT_NEAR(result.low, c["low"].get<double>(), 1e-9);
    EXPECT_NEAR(result.high, c["high"].get<double>(), 1e-9);
    EXPECT_NEAR(result.better_probability, c["better"].get<double>(), 1e-9);
    const auto sessions = session_bootstrap(trials, c["sessions"].get<std::vector<std::string>>(), c["resamples"],
                                            c["seed"].get<std::uint64_t>());
    ASSERT_EQ(sessions.has_value(), !c["over_sessions"].is_null());
    if (!sessions) continue;
    EXPECT_NEAR(sessions->low, c["over_sessions"][0].get<double>(), 1e-9);
    EXPECT_NEAR(sessions->high, c["over_sessions"][1].get<double>(), 1e-9);
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
  EXPECT_EQ(result.better_probability, 0.5);
  EXPECT_EQ(paired_bootstrap({}).high, 0);
  EXPECT_EQ(paired_bootstrap({}).better_probability, 0.5);
}

TEST(Bootstrap, BetterProbabilityIsTheHandWorkedOne) {
  // Two trials, one better by an edit: the resamples' differences are 2 edits, 1 or none with 1/4, 1/2 and 1/4.
  const RateDifference result = paired_bootstrap(std::vector<PairedCounts>{{2, 1, 10}, {1, 1, 10}});
  EXPECT_NEAR(result.better_probability, 0.75 + 0.25 / 2, 0.015);
}

TEST(Bootstrap, SessionsAreDrawnWhole) {
  // Session a is worse by 4 edits of 20, b by none of 20: resamples are aa, ab, ba and bb, so 20, 10, 10 and 0 points.
  const std::vector<PairedCounts> trials = {{0, 3, 5}, {0, 0, 10}, {0, 1, 15}, {0, 0, 10}};
  const std::vector<std::string> sessions = {"a", "b", "a", "b"};
  const auto interval = session_bootstrap(trials, sessions);
  ASSERT_TRUE(interval.has_value());
  EXPECT_EQ(interval->low, 0);
  EXPECT_EQ(interval->high, 20);
  EXPECT_FALSE(session_bootstrap(trials, std::vector<std::string>(4, "a")).has_value());
  EXPECT_THROW(session_bootstrap(trials, std::vector<std::string>(3, "a")), UsageError);
}

TEST(Verdict, IsThatOfTheWiderInterval) {
  EXPECT_EQ(verdict_of({-1, -2, -0.5}), Verdict::better);
  EXPECT_EQ(verdict_of({1, 0.5, 2}), Verdict::worse);
  EXPECT_EQ(verdict_of({1, 0, 2}), Verdict::unclear);  // 0 is in it
  EXPECT_EQ(verdict_of({-1, -2, 0}), Verdict::unclear);
  EXPECT_EQ(verdict_of({1, 0.5, 2, 0, Interval{-0.1, 2}}), Verdict::unclear);  // the sessions' is wider
  EXPECT_EQ(verdict_of({1, 0.5, 2, 0, Interval{-0.1, 1}}), Verdict::worse);    // the trials' is
  EXPECT_EQ(verdict_of({-1, -2, 0.1, 1, Interval{-3, -0.1}}), Verdict::better);
}

TEST(ClearSide, TakesPointsAndShare) {
  EXPECT_EQ(clear_side_of({-0.1, -1, 1, 0.9}), Verdict::better);
  EXPECT_EQ(clear_side_of({-0.09, -1, 1, 0.99}), Verdict::unclear);
  EXPECT_EQ(clear_side_of({-0.5, -1, 1, 0.89}), Verdict::unclear);
  EXPECT_EQ(clear_side_of({0.1, -1, 1, 0.05}), Verdict::worse);
  EXPECT_EQ(clear_side_of({0.5, -1, 1, 0.11}), Verdict::unclear);
}

}  // namespace
}  // namespace brainquant
