// Greedy choice, penalties, truncation and the distribution of draws.
#include "core/generate/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "ftrun/cpp/reference_kernels/random.hpp"

namespace ftrun {
namespace {

TEST(Sampler, GreedyTakesTheLargestAndTheLowestIdOfEquals) {
  std::vector<float> logits = {1, 3, 3, 2};
  const SampledToken token = choose_token(logits, {}, {}, 0.9);
  EXPECT_EQ(token.id, 1);
  EXPECT_EQ(token.logit, 3);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  SamplingArguments arguments;
  arguments.repetition_penalty = 2;
  const std::vector<int32_t> seen = {1};
  std::vector<float> logits = {1, 1.9F, -1};
  EXPECT_EQ(choose_token(logits, seen, arguments, 0).id, 0);
  EXPECT_FLOAT_EQ(logits[1], 0.95F);
  std::vector<float> negative = {-3, -2, -9};
  EXPECT_EQ(choose_token(negative, seen, arguments, 0).id, 0);
  std::vector<float> still_largest = {-3, 5, -9};
  const SampledToken token = choose_token(still_largest, seen, arguments, 0);
  EXPECT_EQ(token.id, 1);
  EXPECT_EQ(token.logit, 5) << "the logit before the penalty";
}

TEST(Sampler, RowsWithoutAFiniteMaximumChooseNothing) {
  const float nan = std::nanf("");
  std::vector<float> logits = {nan, nan};
  EXPECT_EQ(choose_token(logits, {}, {}, 0.5).id, -1);
  std::vector<float> infinite = {1, INFINITY};
  EXPECT_EQ(choose_token(infinite, {}, {}, 0.5).id, -1);
}

// The processors of transformers' generate on the same rows (tests/golden/generate.py).
TEST(Sampler, DistributionsEqualTransformers) {
  const auto golden = nlohmann::json::parse(std::ifstream(FTRUN_SOURCE_DIR "/tests/golden/generation.json"));
  int compared = 0;
  for (const auto& row : golden.at("distributions")) {
    for (const auto& setting : row.at("settings")) {
      SamplingArguments arguments;
      arguments.do_sample = true;
      arguments.temperature = setting.at("temperature");
      arguments.top_k = setting.at("top_k");
      arguments.top_p = setting.at("top_p");
      arguments.repetition_penalty = setting.at("repetition_penalty");
      const std::set<int32_t> distinct = row.at("seen");
      const std::vector<int32_t> seen(distinct.begin(), distinct.end());
      std::vector<float> logits = row.at("logits");
      choose_token(logits, seen, arguments, 0);  // applies the penalty
      std::vector<Candidate> found = candidates(logits, arguments);
      const std::string name = setting.dump().substr(0, 60);
      std::vector<double> expected = setting.at("probabilities");
      ASSERT_EQ(found.size(), expected.size()) << name;
      std::ranges::sort(found, {}, &Candidate::id);
      std::vector<int32_t> ids;
      std::vector<double> probabilities;
      for (const Candidate& candidate : found) {
        ids.push_back(candidate.id);
        probabilities.push_back(candidate.probability);
      }
      // Which of equal logits are in the top_p is open there: torch sorts without keeping their order.
      const std::set<float> values(logits.begin(), logits.end());
      if (values.size() == logits.size()) {
        EXPECT_EQ(ids, setting.at("ids").get<std::vector<int32_t>>()) << name;
      } else {
        std::ranges::sort(expected);
        std::ranges::sort(probabilities);
      }
      for (size_t i = 0; i < ids.size(); ++i) EXPECT_NEAR(probabilities[i], expected[i], 2e-6) << name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 40);
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

// Of 1,000 logits with a top_p that keeps hundreds: sorted in more than one piece.
TEST(Sampler, TopPKeepsTheFewestTokensOfThatMass) {
  std::vector<float> logits(1000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 389) % 1000) * 0.004F;
  SamplingArguments arguments;
  arguments.do_sample = true;
  arguments.top_p = 0.95;
  std::vector<double> mass;
  double total = 0;
  for (const float logit : logits) total += mass.emplace_back(std::exp(logit));
  std::ranges::sort(mass, std::greater<>());
  double head = 0;
  size_t fewest = 0;
  while (head < 0.95 * total) head += mass[fewest++];
  EXPECT_GT(fewest, 512U);
  EXPECT_EQ(candidates(logits, arguments).size(), fewest);
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
