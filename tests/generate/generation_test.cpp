// Greedy decoding against transformers' generate, batched and alone, and the KV cache against the full forward.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/generate/generator.h"
#include "tests/model/model_fixture.h"

namespace ftrun {
namespace {

using test::golden_folder;
using test::golden_values;
using test::TestModel;

constexpr int kPrompts = 3;

std::vector<int32_t> golden_ids(const SafetensorsFile& golden, const std::string& name) {
  const std::vector<double> values = golden_values(golden, name);
  return {values.begin(), values.end()};
}

class Greedy : public testing::TestWithParam<const char*> {
 protected:
  Greedy() : model_(GetParam()), golden_(golden_folder(GetParam()) / "golden.safetensors") {
    for (int k = 0; k < kPrompts; ++k) {
      prompts_.push_back(golden_ids(golden_, "generate." + std::to_string(k) + ".prompt_ids"));
      expected_.push_back(golden_ids(golden_, "generate." + std::to_string(k) + ".new_ids"));
    }
  }

  std::vector<GeneratedSequence> generate_prompts(const std::vector<int>& which) {
    GenerationRequest request;
    for (const int k : which) {
      request.prompts.emplace_back(prompts_[k]);
      request.prompt_keys.push_back(static_cast<uint64_t>(k));
    }
    request.max_new_tokens = static_cast<int64_t>(expected_[0].size());
    return generate(model_.rank(), request);
  }

  TestModel model_;
  SafetensorsFile golden_;
  std::vector<std::vector<int32_t>> prompts_;
  std::vector<std::vector<int32_t>> expected_;
};

TEST_P(Greedy, EqualsTransformersBatchedAndOneByOne) {
  const auto together = generate_prompts({0, 1, 2});
  for (int k = 0; k < kPrompts; ++k) {
    EXPECT_EQ(together[k].ids, expected_[k]) << "prompt " << k;
    const auto alone = generate_prompts({k});
    EXPECT_EQ(alone[0].ids, expected_[k]) << "prompt " << k << " alone";
    EXPECT_EQ(alone[0].logprobs, together[k].logprobs) << "the batch changed the bits of prompt " << k;
    EXPECT_FALSE(alone[0].stopped);
  }
}

/// |log-probability while decoding - that of the training forward over prompt and answer| of each new token.
std::vector<double> logprob_differences(TestModel& model, const std::vector<int32_t>& prompt,
                                        GenerationRequest request) {
  request.prompts = {prompt};
  request.prompt_keys = {0};
  const auto generated = generate(model.rank(), request);
  std::vector<int32_t> ids = prompt;
  ids.insert(ids.end(), generated[0].ids.begin(), generated[0].ids.end());
  std::vector<int32_t> targets(ids.begin() + 1, ids.end());
  targets.push_back(-100);
  test::Documents documents;
  documents.add(ids, targets);
  const std::vector<float> logits = test::all_logits(model, documents);
  const auto vocabulary = static_cast<size_t>(model.model().info().vocab_size);
  std::vector<double> differences;
  for (size_t i = 0; i < generated[0].ids.size(); ++i) {
    const float* row = logits.data() + (prompt.size() - 1 + i) * vocabulary;
    double sum = 0;
    for (size_t v = 0; v < vocabulary; ++v) sum += std::exp(static_cast<double>(row[v]));
    differences.push_back(std::abs(generated[0].logprobs[i] - (row[generated[0].ids[i]] - std::log(sum))));
  }
  return differences;
}

TEST_P(Greedy, DecodingLogprobsEqualTheFullForward) {
  GenerationRequest request;
  request.max_new_tokens = 24;
  for (const double difference : logprob_differences(model_, prompts_[1], request)) EXPECT_LT(difference, 1e-4);
}

TEST_P(Greedy, DecodingLogprobsEqualTheFullForwardInBf16) {
  test::ModelOptions options;
  options.precision = Precision::pure_bf16();
  TestModel model(GetParam(), options);
  GenerationRequest request;
  request.max_new_tokens = 60;
  request.walk_tokens = 5;
  request.sampling.do_sample = true;
  const std::vector<double> differences = logprob_differences(model, prompts_[2], request);
  ASSERT_EQ(differences.size(), 60U);
  double sum = 0;
  for (const double difference : differences) {
    EXPECT_LT(difference, 0.15);
    sum += difference;
  }
  EXPECT_LT(sum / 60, 2e-2);
}

// The cache is then read by copies around plain attention.
TEST_P(Greedy, EqualsTransformersOnADeviceWithPrimitiveOpsOnly) {
  test::TestDevice reference(true);
  test::ModelOptions options;
  options.device = &reference.device();
  TestModel model(GetParam(), options);
  GenerationRequest request;
  request.prompts = {prompts_[0], prompts_[2]};
  request.prompt_keys = {0, 2};
  request.max_new_tokens = 24;
  const auto sequences = generate(model.rank(), request);
  EXPECT_EQ(sequences[0].ids, expected_[0]);
  EXPECT_EQ(sequences[1].ids, expected_[2]);
  EXPECT_TRUE(reference.device().composed_ops().contains(FTRUN_OP_PAGED_ATTENTION));
}

TEST_P(Greedy, StopIdEndsASequenceAndStaysInIt) {
  GenerationRequest request;
  request.prompts = {prompts_[1], prompts_[2]};
  request.prompt_keys = {1, 2};
  request.max_new_tokens = 24;
  request.stop_ids = {expected_[1][3]};
  const auto sequences = generate(model_.rank(), request);
  EXPECT_TRUE(sequences[0].stopped);
  EXPECT_EQ(sequences[0].ids.back(), expected_[1][3]);
  EXPECT_LE(sequences[0].ids.size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(Models, Greedy,
                         testing::Values("llama", "llama_rope3", "llama_yarn", "llama_tied_linear", "qwen2",
                                         "qwen2_untied", "qwen3", "qwen3_untied"));

TEST(Generate, RefusesEmptyPromptsAndEndsAtTheLastPosition) {
  TestModel model("llama");
  GenerationRequest request;
  const std::vector<int32_t> empty_prompt;
  const std::vector<int32_t> prompt = {1, 2};
  request.prompts = {empty_prompt};
  request.prompt_keys = {0};
  request.max_new_tokens = 4;
  EXPECT_THROW(generate(model.rank(), request), Error);
  request.prompts = {prompt};
  request.max_new_tokens = 1 << 20;
  const int64_t positions = model.model().info().max_position_embeddings;
  const std::vector<int32_t> longest(static_cast<size_t>(positions), 1);
  const std::vector<int32_t> one_left(static_cast<size_t>(positions - 1), 1);
  request.prompts = {prompt, longest, one_left};
  request.prompt_keys = {0, 1, 2};
  const auto sequences = generate(model.rank(), request);
  EXPECT_EQ(sequences[0].ids.size(), static_cast<size_t>(positions - 2));
  EXPECT_TRUE(sequences[1].ids.empty());
  EXPECT_EQ(sequences[2].ids.size(), 1U);
  EXPECT_FALSE(sequences[0].stopped || sequences[1].stopped || sequences[2].stopped);
  request.prompts = {prompt};
  request.prompt_keys = {0};
  request.max_new_tokens = 0;
  EXPECT_TRUE(generate(model.rank(), request)[0].ids.empty());
}

TEST(Generate, SamplingDependsOnSeedAndKeyOnly) {
  TestModel model("qwen3");
  const std::vector<int32_t> prompt = {3, 4, 5};
  GenerationRequest request;
  request.prompts = {prompt, prompt};
  request.prompt_keys = {7, 8};
  request.max_new_tokens = 12;
  request.sampling.do_sample = true;
  request.seed = 1;
  const auto both = generate(model.rank(), request);
  EXPECT_NE(both[0].ids, both[1].ids);
  request.prompts = {prompt};
  request.prompt_keys = {8};
  EXPECT_EQ(generate(model.rank(), request)[0].ids, both[1].ids);
}

// Pearson's chi-square of the first token's draws against the softmax of its logits. Outcomes expected less than 5
// times are one; the statistic is below the 0.999 quantile (by Wilson and Hilferty's approximation).
TEST(Generate, SampledTokensFollowTheModelsDistribution) {
  TestModel model("llama");
  const std::vector<int32_t> prompt = {3, 4, 5};
  test::Documents documents;
  documents.add(prompt, std::vector<int32_t>{4, 5, -100});
  const auto vocabulary = static_cast<size_t>(model.model().info().vocab_size);
  const std::vector<float> logits = test::all_logits(model, documents);
  SamplingArguments sampling = {true, 1.5, 40, 0.97, 1.2};
  std::vector<float> row(logits.end() - static_cast<std::ptrdiff_t>(vocabulary), logits.end());
  choose_token(row, prompt, sampling, 0);  // applies the penalty
  std::vector<double> expected(vocabulary);
  constexpr int kDraws = 6000;
  for (const Candidate& candidate : candidates(row, sampling)) expected[candidate.id] = candidate.probability * kDraws;

  GenerationRequest request;
  request.prompts.assign(kDraws, prompt);
  for (int draw = 0; draw < kDraws; ++draw) request.prompt_keys.push_back(draw);
  request.max_new_tokens = 1;
  request.sampling = sampling;
  request.seed = 11;
  std::vector<double> counts(vocabulary);
  for (const auto& sequence : generate(model.rank(), request)) ++counts[sequence.ids.at(0)];
  double chi_square = 0, rest = 0, rest_expected = 0;
  int outcomes = 0;
  for (size_t id = 0; id < vocabulary; ++id) {
    if (expected[id] == 0) {
      EXPECT_EQ(counts[id], 0) << "outside of top_k and top_p";
    }
    if (expected[id] < 5) {
      rest += counts[id];
      rest_expected += expected[id];
      continue;
    }
    chi_square += (counts[id] - expected[id]) * (counts[id] - expected[id]) / expected[id];
    ++outcomes;
  }
  if (rest_expected >= 5) {
    chi_square += (rest - rest_expected) * (rest - rest_expected) / rest_expected;
    ++outcomes;
  }
  ASSERT_GE(outcomes, 10);
  const double freedom = outcomes - 1;
  const double root = 1 - 2 / (9 * freedom) + 3.09 * std::sqrt(2 / (9 * freedom));
  EXPECT_LT(chi_square, freedom * root * root * root);
}

TEST(Generate, RefusesLogitsThatAreNotFinite) {
  test::ModelOptions options;
  options.weights = [](const NetworkModel&) {
    return std::make_unique<HostWeights>(
        [](const ModelParameter&, int64_t, std::span<float> values) { std::ranges::fill(values, std::nanf("")); });
  };
  TestModel model("llama", options);
  const std::vector<int32_t> prompt = {1, 2};
  GenerationRequest request;
  request.prompts = {prompt};
  request.prompt_keys = {0};
  request.max_new_tokens = 2;
  EXPECT_THROW(generate(model.rank(), request), Error);
}

}  // namespace
}  // namespace ftrun
