// The team of threads: every member in every round, barriers that hold, more members than cores.
#include "runtime/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support/thread_limit.h"

namespace brainquant {
namespace {

class Team : public ::testing::TestWithParam<int> {};

TEST_P(Team, EveryMemberWorksOnceInEveryRound) {
  ThreadTeam team(GetParam());
  ASSERT_EQ(team.size(), GetParam());
  constexpr int kRounds = 2000;
  std::vector<int> calls(static_cast<std::size_t>(team.size()),
                         0);  // a member's own, so not atomic: a race is TSan's to find
  for (int round = 1; round <= kRounds; ++round) {
    team.run([&](int member) { ++calls[static_cast<std::size_t>(member)]; });
    for (const int count : calls) ASSERT_EQ(count, round);
  }
}

// Between two barriers each member reads what its neighbour wrote before the first one.
TEST_P(Team, BarriersShowWhatOthersWrote) {
  ThreadTeam team(GetParam());
  const int size = team.size();
  constexpr int kBarriers = 500;
  std::vector<int> written(static_cast<std::size_t>(size), 0);
  std::atomic<int> wrong{0};
  for (int round = 0; round < 4; ++round) {
    team.run([&](int member) {
      for (int i = 1; i <= kBarriers; ++i) {
        written[static_cast<std::size_t>(member)] = round * kBarriers + i;
        team.barrier();
        if (written[static_cast<std::size_t>((member + 1) % size)] != round * kBarriers + i) ++wrong;
        team.barrier();
      }
    });
  }
  EXPECT_EQ(wrong, 0);
}

// Long pauses, so that members that spin have gone to sleep: between rounds, and at a barrier.
TEST_P(Team, SleepersWakeUp) {
  ThreadTeam team(GetParam());
  std::atomic<int> done{0};
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    team.run([&](int member) {
      if (member == team.size() - 1) std::this_thread::sleep_for(std::chrono::milliseconds(15));
      team.barrier();
      ++done;
    });
  }
  EXPECT_EQ(done, 3 * team.size());
}

TEST_P(Team, CanEndWithoutAnyRound) {
  for (int i = 0; i < 20; ++i) ThreadTeam team(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sizes, Team, ::testing::Values(1, 2, 3, 4, 9), [](const ::testing::TestParamInfo<int>& size) {
  return std::to_string(size.param) + "Members";
});

TEST(TeamSize, OneThatCannotBeStartedIsAnError) {
  for (const int threads : {0, 2}) {
    const std::string problem = testing::problem_with_threads(threads, [] { ThreadTeam team(16); });
    if (problem == "no limit") GTEST_SKIP() << "the system sets no limit";
    EXPECT_EQ(problem, "cannot start a thread for the native engine: Resource temporarily unavailable") << threads;
  }
}

TEST(TeamSize, IsAtLeastOne) {
  EXPECT_EQ(ThreadTeam(0).size(), 1);
  EXPECT_EQ(ThreadTeam(-3).size(), 1);
}

}  // namespace
}  // namespace brainquant
