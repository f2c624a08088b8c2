// Greedy choice, penalties, truncation and the distribution of draws.
#include "core/generate/sampler.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "ftrun/cpp/reference_kernels/random.hpp"

namespace ftrun {
namespace {

TEST(Sampler, GreedyTakesTheLargestAndTheLowestIdOfEquals) {
  std::vector<float> logits = {1, 3, 3, 2};
  const SampledToken token = choose_token(logits, {}, {}, 0.9);
  EXPECT_EQ(token.id, 1);
  EXPECT_NEAR(token.logprob, 3 - std::log(std::exp(1.0) + 2 * std::exp(3.0) + std::exp(2.0)), 1e-6);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  SamplingArguments arguments;
  arguments.repetition_penalty = 2;
  const std::vector<int32_t> previous = {1, 1};
  std::vector<float> logits = {1, 1.9F, -1};
  EXPECT_EQ(choose_token(logits, previous, arguments, 0).id, 0);
  EXPECT_FLOAT_EQ(logits[1], 0.95F);
  std::vector<float> negative = {-3, -2, -9};
  EXPECT_EQ(choose_token(negative, previous, arguments, 0).id, 0);
}

TEST(Sampler, TopKAndTopPLimitTheCandidates) {
  SamplingArguments arguments;
  arguments.do_sample = true;
  arguments.top_k = 2;
  for (const double uniform : {0.0, 0.3, 0.6, 0.999999}) {
    std::vector<float> logits = {0, 1, 2, 3};
    EXPECT_GE(choose_token(logits, {}, arguments, uniform).id, 2);
  }
  arguments.top_k = 0;
  arguments.top_p = 0.5;
  std::vector<float> logits = {0, 1, 2, 3};
  EXPECT_EQ(choose_token(logits, {}, arguments, 0.999999).id, 3);
}

// Pearson's chi-square over 5 outcomes: below 18.47 with probability 0.999 for the right distribution (4 degrees).
TEST(Sampler, DrawsFollowTheSoftmax) {
  const std::array<float, 5> base = {0.5F, -1, 2, 0, 1};
  SamplingArguments arguments;
  arguments.do_sample = true;
  arguments.temperature = 0.8;
  std::array<double, 5> expected = {};
  double total = 0;
  for (size_t i = 0; i < base.size(); ++i) total += expected[i] = std::exp(base[i] / arguments.temperature);
  std::array<int, 5> counts = {};
  constexpr int kDraws = 20000;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<float> logits(base.begin(), base.end());
    ++counts[choose_token(logits, {}, arguments, reference::uniform_at(42, 7, draw)).id];
  }
  double chi_square = 0;
  for (size_t i = 0; i < base.size(); ++i) {
    const double mean = expected[i] / total * kDraws;
    chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
  }
  EXPECT_LT(chi_square, 18.47);
}

TEST(Sampler, RefusesValuesOutsideTheirRange) {
  EXPECT_THROW(validate({true, 0, 0, 1, 1}), Error);
  EXPECT_THROW(validate({true, 1, -1, 1, 1}), Error);
  EXPECT_THROW(validate({true, 1, 0, 1.5, 1}), Error);
  EXPECT_THROW(validate({true, 1, 0, 1, 0}), Error);
  EXPECT_NO_THROW(validate({true, 1, 0, 1, 1}));
}

}  // namespace
}  // namespace ftrun
