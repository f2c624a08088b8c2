// Answers do not depend on what is decoded beside them: batch sizes, pieces of prompts, blocks that others used before.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/generate/cache_size.h"
#include "core/generate/generator.h"
#include "core/generate/kv_cache.h"
#include "tests/model/model_fixture.h"

namespace ftrun {
namespace {

using test::TestModel;
using Ids = std::vector<int32_t>;

const nlohmann::json& golden() {
  static const auto parsed = nlohmann::json::parse(std::ifstream(FTRUN_SOURCE_DIR "/tests/golden/generation.json"));
  return parsed;
}

std::vector<Ids> prompts_of(const std::string& model) { return golden().at("greedy").at(model).at("prompts"); }

GenerationRequest request_for(const std::vector<Ids>& prompts) {
  GenerationRequest request;
  for (const Ids& prompt : prompts) {
    request.prompt_keys.push_back(request.prompts.size());
    request.prompts.emplace_back(prompt);
  }
  request.max_new_tokens = 24;
  return request;
}

class Batching : public testing::TestWithParam<const char*> {};

// do_sample false, fp32: left-padded and one by one are the same in the golden file.
TEST_P(Batching, GreedyEqualsTransformersWithAndWithoutRepetitionPenalty) {
  TestModel model(GetParam());
  const std::vector<Ids> prompts = prompts_of(GetParam());
  for (const auto& answers : golden().at("greedy").at(GetParam()).at("answers")) {
    const std::vector<Ids> expected = answers.at("ids");
    GenerationRequest request = request_for(prompts);
    request.sampling.repetition_penalty = answers.at("repetition_penalty");
    const auto together = generate(model.rank(), request);
    for (size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_EQ(together[i].ids, expected[i]) << "prompt " << i << ", " << request.sampling.repetition_penalty;
      const std::vector<Ids> only = {prompts[i]};
      GenerationRequest alone = request_for(only);
      alone.sampling = request.sampling;
      EXPECT_EQ(generate(model.rank(), alone)[0].ids, expected[i]) << "prompt " << i << " alone";
    }
  }
}

TEST_P(Batching, AnswersAreTheSameBitsForAnyBatchAndAnyPiecesOfPrompts) {
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
    test::ModelOptions options;
    options.precision = {dtype, false};
    TestModel model(GetParam(), options);
    const std::vector<Ids> prompts = prompts_of(GetParam());
    GenerationRequest request = request_for(prompts);
    request.sampling = {true, 0.9, 20, 0.95, 1.1};
    request.seed = 5;
    const auto whole = generate(model.rank(), request);
    for (const auto& [sequences, walk] :
         std::vector<std::pair<int32_t, int64_t>>{{1, 1024}, {2, 7}, {3, 1}, {64, 40}}) {
      request.max_sequences = sequences;
      request.walk_tokens = walk;
      std::vector<size_t> ended;
      request.on_end = [&](size_t prompt, const GeneratedSequence&) { ended.push_back(prompt); };
      const auto again = generate(model.rank(), request);
      for (size_t i = 0; i < prompts.size(); ++i) {
        EXPECT_EQ(again[i].ids, whole[i].ids) << sequences << " at a time, " << walk << " tokens, prompt " << i;
        EXPECT_EQ(again[i].logprobs, whole[i].logprobs) << sequences << " at a time, " << walk << " tokens";
      }
      std::ranges::sort(ended);
      EXPECT_EQ(ended, (std::vector<size_t>{0, 1, 2, 3, 4, 5}));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Batching, testing::Values("llama", "qwen2", "qwen3"));

TEST(ContinuousBatching, ThePlaceOfAnEndedSequenceIsTakenByTheNext) {
  TestModel model("llama");
  std::vector<Ids> prompts;
  for (int32_t i = 0; i < 10; ++i) prompts.push_back({i, i + 1});
  GenerationRequest request = request_for(prompts);
  request.max_sequences = 3;
  // Prompt i is ended after i + 1 tokens.
  std::vector<size_t> counts(prompts.size());
  std::vector<std::pair<size_t, size_t>> order;  // prompt, its token
  request.on_token = [&](size_t prompt, int32_t) {
    order.emplace_back(prompt, counts[prompt]);
    return ++counts[prompt] <= prompt;
  };
  const auto sequences = generate(model.rank(), request);
  for (size_t i = 0; i < sequences.size(); ++i) {
    EXPECT_EQ(sequences[i].ids.size(), i + 1);
    EXPECT_TRUE(sequences[i].stopped);
  }
  // Sequences 0, 1, 2 end after steps 1, 2, 3, and 3, 4, 5 begin at steps 2, 3, 4: 3 rows in each step but the last.
  const auto position = [&](size_t prompt, size_t token) {
    return std::ranges::find(order, std::pair(prompt, token)) - order.begin();
  };
  EXPECT_LT(position(3, 0), position(2, 2));
  EXPECT_LT(position(4, 0), position(2, 2) + 3);
}

TEST(ContinuousBatching, CancellingEndsAllSequencesWhereTheyAre) {
  TestModel model("llama");
  const std::vector<Ids> prompts = {{1, 2}, {3, 4}, {5, 6}};
  GenerationRequest request = request_for(prompts);
  request.max_sequences = 2;
  int forwards = 0;
  request.cancelled = [&] { return ++forwards > 4; };
  const auto sequences = generate(model.rank(), request);
  EXPECT_EQ(sequences[0].ids.size(), 4U);
  EXPECT_EQ(sequences[1].ids.size(), 4U);
  EXPECT_TRUE(sequences[2].ids.empty());
  EXPECT_FALSE(sequences[0].stopped);
}

TEST(KvCache, BlocksGoBackAndAreUsedAgain) {
  KvCache cache(4);
  const int32_t a = cache.open();
  const int32_t b = cache.open();
  const std::vector<int32_t> both = {a, b};
  cache.begin_forward(both, std::vector<int64_t>{33, 32});
  EXPECT_EQ(cache.free_blocks(), 1);
  cache.begin_forward(both, std::vector<int64_t>{1, 1});  // b's second block
  EXPECT_EQ(cache.free_blocks(), 0);
  EXPECT_EQ(cache.length(a), 34);
  EXPECT_THROW(cache.begin_forward(std::vector<int32_t>{a}, std::vector<int64_t>{31}), Error);
  EXPECT_EQ(cache.length(a), 34) << "a refused forward changes nothing";
  cache.close(b);
  EXPECT_EQ(cache.free_blocks(), 2);
  cache.truncate(a, 5);
  EXPECT_EQ(cache.free_blocks(), 3);
  EXPECT_EQ(cache.length(a), 5);
  EXPECT_EQ(cache.open(), b) << "numbers are used again";
}

TEST(KvCache, IsAsLargeAsItsSequencesNeed) {
  TestModel model("llama");  // 2 layers, 2 key-value heads of 8, f32
  EXPECT_EQ(cache_block_bytes(model.rank(), 0), 2U * 2U * 2U * 8U * 4U * 32U);
  EXPECT_EQ(cache_blocks(model.rank(), 0, {1, 33, 64, 65}, 64), 1 + 2 + 2 + 3);
  EXPECT_EQ(cache_blocks(model.rank(), 0, {1, 33, 64, 65}, 2), 3 + 2) << "the two largest";
  EXPECT_EQ(cache_blocks(model.rank(), 0, {}, 2), 0);
}

TEST(KvCache, RefusesASequenceThatDoesNotFit) {
  TestModel model("llama");
  try {
    cache_blocks(model.rank(), 0, {int64_t{1} << 40}, 1);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_RESOURCE_EXHAUSTED);
    EXPECT_NE(std::string(error.what()).find("reduce max_new_tokens"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("1099511627776 tokens"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace ftrun
