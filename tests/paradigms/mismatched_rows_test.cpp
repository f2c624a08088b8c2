// Which row's answer a row gets: the nearest earlier one with another prompt.
#include "kto/mismatched_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ftrun::labelled {
namespace {

using testing::ElementsAre;

/// By the letters of the prompts.
std::vector<int64_t> others_of(std::string_view prompts) {
  std::vector<uint8_t> same;
  for (size_t i = 0; i < prompts.size(); ++i) {
    same.push_back(prompts[i] == prompts[i > 0 ? i - 1 : prompts.size() - 1] ? 1 : 0);
  }
  return nearest_other_prompts(same);
}

TEST(MismatchedRows, AreTheRowBeforeWherePromptsDiffer) {
  EXPECT_THAT(others_of("abc"), ElementsAre(2, 0, 1));
  EXPECT_THAT(others_of("abab"), ElementsAre(3, 0, 1, 2));
}

TEST(MismatchedRows, AreTheNearestEarlierOnesWithAnotherPromptRoundTheRing) {
  EXPECT_THAT(others_of("aabb"), ElementsAre(3, 3, 1, 1));
  EXPECT_THAT(others_of("aabbbca"), ElementsAre(5, 5, 1, 1, 1, 4, 5));
  EXPECT_THAT(others_of("abbaa"), ElementsAre(2, 0, 0, 2, 2));
}

TEST(MismatchedRows, AreTheRowBeforeWhereAllPromptsAreOne) {
  EXPECT_THAT(others_of("aaa"), ElementsAre(2, 0, 1));
  EXPECT_THAT(others_of("a"), ElementsAre(0));
  EXPECT_TRUE(nearest_other_prompts({}).empty());
}

TEST(MismatchedRows, AgreeWithLookingForThem) {
  const std::string prompts = "aababbbcaacccbbaabbbca";
  const std::vector<int64_t> others = others_of(prompts);
  for (size_t i = 0; i < prompts.size(); ++i) {
    size_t other = i;
    do other = (other + prompts.size() - 1) % prompts.size();
    while (prompts[other] == prompts[i]);
    EXPECT_EQ(others[i], static_cast<int64_t>(other)) << i;
  }
}

}  // namespace
}  // namespace ftrun::labelled
