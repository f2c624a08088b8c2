// A conversation's cache: what a question shares with the last exchange is not computed again, and changes no bit.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/generate/generator.h"
#include "tests/model/model_fixture.h"

namespace ftrun {
namespace {

using test::TestModel;
using Ids = std::vector<int32_t>;

GenerationRequest ask(const Ids& prompt) {
  GenerationRequest request;
  request.prompts = {prompt};
  request.prompt_keys = {0};
  request.max_new_tokens = 9;
  return request;
}

Ids longer(Ids ids, const Ids& answer, const Ids& more) {
  ids.insert(ids.end(), answer.begin(), answer.end());
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

TEST(Conversation, ContinuesWhereTheLastOneEndedWithTheSameBits) {
  TestModel model("qwen3");
  ConversationGenerator conversation(model.rank());
  const Ids first = {1, 2, 3, 4, 5};
  const auto answer = conversation.generate(ask(first));
  EXPECT_EQ(conversation.reused_tokens(), 0);
  const Ids second = longer(first, answer.ids, {6, 7});
  // The cache was made for the first question and is too small now.
  EXPECT_EQ(conversation.generate(ask(second)).ids, generate(model.rank(), ask(second))[0].ids);
  const auto again = conversation.generate(ask(second));
  EXPECT_EQ(conversation.reused_tokens(), static_cast<int64_t>(second.size()) - 1) << "the last id's logits are needed";
  const auto fresh = generate(model.rank(), ask(second))[0];
  EXPECT_EQ(again.ids, fresh.ids);
  EXPECT_EQ(again.logprobs, fresh.logprobs);
}

TEST(Conversation, ReusesWhatBothBeginWith) {
  TestModel model("llama");
  ConversationGenerator conversation(model.rank());
  Ids first(40, 3);
  conversation.generate(ask(first));
  Ids second = first;
  second[30] = 4;  // changed in the first block, behind 30 equal tokens
  const auto answer = conversation.generate(ask(second));
  EXPECT_EQ(conversation.reused_tokens(), 30);
  EXPECT_EQ(answer.logprobs, generate(model.rank(), ask(second))[0].logprobs);
  const Ids other = {9, 9};
  EXPECT_EQ(conversation.generate(ask(other)).logprobs, generate(model.rank(), ask(other))[0].logprobs);
  EXPECT_EQ(conversation.reused_tokens(), 0);
}

TEST(Conversation, GoesOnAfterAFailure) {
  TestModel model("llama");
  ConversationGenerator conversation(model.rank());
  const Ids good = {1, 2, 3};
  const Ids bad = {1, 2, 1 << 20};
  const auto before = conversation.generate(ask(good));
  EXPECT_THROW(conversation.generate(ask(bad)), Error);
  EXPECT_EQ(conversation.generate(ask(good)).logprobs, before.logprobs);
  GenerationRequest two = ask(good);
  two.prompts.emplace_back(good);
  two.prompt_keys.push_back(1);
  EXPECT_THROW(conversation.generate(two), Error);
}

TEST(Conversation, AQuestionThatLeavesNoPositionIsAnsweredWithNothing) {
  TestModel model("llama");
  ConversationGenerator conversation(model.rank());
  const Ids full(static_cast<size_t>(model.model().info().max_position_embeddings), 1);
  EXPECT_TRUE(conversation.generate(ask(full)).ids.empty());
}

}  // namespace
}  // namespace ftrun
