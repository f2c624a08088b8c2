// Greedy decoding against transformers' generate, batched and alone, and the KV cache against the full forward.
#include <gtest/gtest.h>

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

TEST_P(Greedy, DecodingLogprobsEqualTheFullForward) {
  const auto generated = generate_prompts({1});
  std::vector<int32_t> ids = prompts_[1];
  ids.insert(ids.end(), generated[0].ids.begin(), generated[0].ids.end());
  std::vector<int32_t> targets(ids.begin() + 1, ids.end());
  targets.push_back(-100);
  test::Documents documents;
  documents.add(ids, targets);
  const std::vector<float> logits = test::all_logits(model_, documents);
  const auto vocabulary = static_cast<size_t>(model_.model().info().vocab_size);
  for (size_t i = 0; i < generated[0].ids.size(); ++i) {
    const float* row = logits.data() + (prompts_[1].size() - 1 + i) * vocabulary;
    double sum = 0;
    for (size_t v = 0; v < vocabulary; ++v) sum += std::exp(static_cast<double>(row[v]));
    EXPECT_NEAR(generated[0].logprobs[i], row[generated[0].ids[i]] - std::log(sum), 1e-4) << i;
  }
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

}  // namespace
}  // namespace ftrun
