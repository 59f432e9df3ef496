#include "brainquant/support/run_key.h"

#include <gtest/gtest.h>

namespace brainquant {
namespace {

RunKey key() {
  RunKey result;
  result.set("model", "aa");
  result.set("threads", "2");
  result.set("kernel", "");
  return result;
}

TEST(RunKey, DifferenceNamesTheFieldThatChanged) {
  RunKey other = key();
  EXPECT_FALSE(key().difference(other).has_value());
  other.set("threads", "1");
  EXPECT_EQ(key().difference(other), "threads was 1, is 2");
  EXPECT_EQ(other.difference(key()), "threads was 2, is 1");
  other = key();
  other.set("kernel", "avx2");
  EXPECT_EQ(key().difference(other), "kernel was avx2, is not set");
}

TEST(RunKey, AFieldThatOneOfThemLacksIsADifference) {
  RunKey more = key();
  more.set("cpu", "x");
  EXPECT_EQ(more.difference(key()), "cpu was unknown, is x");
  EXPECT_EQ(key().difference(more), "cpu was x, is unknown");
  EXPECT_FALSE(more.without({"cpu"}).difference(key()).has_value());
}

TEST(RunKey, OrderDoesNotMatter) {
  RunKey reversed;
  reversed.set("kernel", "");
  reversed.set("threads", "2");
  reversed.set("model", "aa");
  EXPECT_FALSE(key().difference(reversed).has_value());
}

}  // namespace
}  // namespace brainquant
