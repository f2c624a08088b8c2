// When an exported model counts as answering as its base and adapters do.
// Leaves out: computing the logits (tests/e2e/lora_test.cpp).
#include <gtest/gtest.h>

#include <limits>

#include "core/export/merge_check.h"

namespace ftrun::test {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Two positions of two tokens each.
LogitsDistance distance(std::vector<float> before, std::vector<float> after) {
  return distance_of({2, 2, std::move(before)}, {2, 2, std::move(after)});
}

TEST(LogitsDistance, BothMeasuresMustBeWithinTheTolerance) {
  EXPECT_TRUE(distance({1, -4, 2, 2}, {1, -4, 2, 2}).is_within(0));
  const LogitsDistance one = distance({1, -4, 2, 2}, {1, -4, 2, 2.04f});
  EXPECT_NEAR(one.relative(), 0.04 / 4, 1e-6);
  EXPECT_NEAR(one.relative_rms(), 0.02 / 2.5, 1e-6);
  EXPECT_TRUE(one.is_within(0.011));
  EXPECT_FALSE(one.is_within(0.009)) << "the largest difference";
}

TEST(LogitsDistance, WhatIsNoNumberIsNeverWithin) {
  for (const float value : {kNaN, kInfinity, -kInfinity}) {
    const LogitsDistance both = distance({value, value, value, value}, {value, value, value, value});
    EXPECT_EQ(both.not_finite, 4);
    EXPECT_FALSE(both.is_within(1e30));
    EXPECT_FALSE(distance({1, 2, 3, 4}, {1, 2, value, 4}).is_within(1e30));
    EXPECT_FALSE(distance({1, 2, value, 4}, {1, 2, 3, 4}).is_within(1e30));
  }
}

TEST(LogitsDistance, ZerosAreNearToZerosOnly) {
  EXPECT_TRUE(distance({0, 0, 0, 0}, {0, 0, 0, 0}).is_within(1e-3));
  EXPECT_FALSE(distance({0, 0, 0, 0}, {0, 0, 1e-9f, 0}).is_within(1e30));
}

}  // namespace
}  // namespace ftrun::test
