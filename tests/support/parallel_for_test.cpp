#include "support/parallel_for.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "brainquant/support/error.h"
#include "support/thread_limit.h"

namespace brainquant {
namespace {

TEST(ParallelFor, EachItemOnceWhateverTheThreads) {
  for (const int threads : {0, 1, 3, 20}) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{500}}) {
      std::vector<std::atomic<int>> calls(count);
      parallel_for("a test", count, threads, [&](std::size_t i) { ++calls[i]; });
      for (const std::atomic<int>& of_one : calls) EXPECT_EQ(of_one, 1);
    }
  }
}

TEST(ParallelFor, WhatIsThrownEndsItAndArrives) {
  std::atomic<int> calls{0};
  const auto work = [&](std::size_t i) {
    ++calls;
    if (i == 3) throw WorkError("the third");
  };
  EXPECT_THROW(parallel_for("a test", 1'000'000, 1, work), WorkError);
  EXPECT_EQ(calls, 4);
  EXPECT_THROW(parallel_for("a test", 1'000'000, 4, work), WorkError);
  EXPECT_LT(calls, 1'000'000);
}

TEST(ParallelFor, AThreadThatCannotBeStartedIsAnError) {
  const std::string problem =
      testing::problem_with_threads(1, [] { parallel_for("testing", 4, 8, [](std::size_t) {}); });
  if (problem == "no limit") GTEST_SKIP() << problem;
  EXPECT_EQ(problem.rfind("cannot start a thread for testing: ", 0), 0U) << problem;
}

}  // namespace
}  // namespace brainquant
