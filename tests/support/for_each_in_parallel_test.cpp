#include "support/for_each_in_parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "brainquant/support/error.h"
#include "support/thread_limit.h"

namespace brainquant {
namespace {

TEST(ForEachInParallel, DoesEveryPieceOnce) {
  for (const int threads : {1, 2, 7}) {
    std::vector<std::atomic<int>> done(100);
    for_each_in_parallel(done.size(), threads, "testing", [&](std::size_t i) { ++done[i]; });
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
  for_each_in_parallel(0, 3, "testing", [](std::size_t) { FAIL(); });
}

TEST(ForEachInParallel, TheFirstFailureEndsIt) {
  for (const int threads : {1, 3}) {
    std::atomic<int> begun{0};
    const auto work = [&](std::size_t i) {
      ++begun;
      if (i == 5) throw std::runtime_error("five");
      if (i > 5) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    };
    EXPECT_THROW(for_each_in_parallel(1000, threads, "testing", work), std::runtime_error);
    EXPECT_LT(begun, 1000) << threads;
  }
}

TEST(ForEachInParallel, AThreadThatCannotBeStartedIsAnError) {
  const std::string problem =
      testing::problem_with_threads(1, [] { for_each_in_parallel(4, 8, "testing", [](std::size_t) {}); });
  if (problem == "no limit") GTEST_SKIP() << problem;
  EXPECT_EQ(problem.rfind("cannot start a thread for testing: ", 0), 0U) << problem;
}

}  // namespace
}  // namespace brainquant
