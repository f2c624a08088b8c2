// Text of an answer piece by piece: whole characters only, stop strings over token borders.
#include "core/generate/answer_text.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/utf8_text.h"

namespace ftrun {
namespace {

std::shared_ptr<const Tokenizer> demo_tokenizer() { return Tokenizer::load(FTRUN_SOURCE_DIR "/configs/demo/model"); }

struct Answer {
  std::vector<std::string> pieces;
  std::string text;
  bool stopped = false;
  size_t fed = 0;  // tokens until it stopped
};

Answer answer_of(const std::string& text, std::vector<std::string> stops) {
  const auto tokenizer = demo_tokenizer();
  AnswerText answer(tokenizer, std::move(stops));
  Answer result;
  for (const int32_t id : tokenizer->encode(text)) {
    if (answer.stopped()) break;
    result.pieces.push_back(answer.feed(id));
    ++result.fed;
  }
  result.pieces.push_back(answer.finish());
  for (const std::string& piece : result.pieces) {
    EXPECT_EQ(well_formed_prefix(piece), piece.size()) << "half a character";
    result.text += piece;
  }
  result.stopped = answer.stopped();
  EXPECT_EQ(answer.text(), result.text);
  return result;
}

TEST(AnswerText, PiecesAreWholeCharactersAndMakeTheText) {
  const std::string text = "caf\u00e9, \u4f60\u597d \U0001F600 and more";
  const Answer answer = answer_of(text, {});
  EXPECT_EQ(answer.text, text);
  EXPECT_GT(answer.pieces.size(), 10U) << "several tokens per character are what is tested";
  EXPECT_FALSE(answer.stopped);
}

TEST(AnswerText, SpecialTokensAreLeftOut) { EXPECT_EQ(answer_of("one<|im_end|> two", {}).text, "one two"); }

TEST(AnswerText, StopStringEndsTheTextBeforeIt) {
  const Answer answer = answer_of("first line\nUser: second", {"\nUser:"});
  EXPECT_EQ(answer.text, "first line");
  EXPECT_TRUE(answer.stopped);
  EXPECT_LT(answer.fed, demo_tokenizer()->encode("first line\nUser: second").size());
}

TEST(AnswerText, StopStringInsideAndOverTokens) {
  const std::string text = "abcdefgh \u4f60\u597d\u5417 xyz 12345";
  for (const std::string stop : {"c", "cd", "gh \u4f60", "\u597d", "z 1", "45", "5"}) {
    const Answer answer = answer_of(text, {stop});
    EXPECT_EQ(answer.text, text.substr(0, text.find(stop))) << stop;
    EXPECT_TRUE(answer.stopped) << stop;
  }
}

TEST(AnswerText, FalseBeginningsOfAStopStringComeOutLater) {
  EXPECT_EQ(answer_of("aabaabaac and rest", {"aabaac", "resting"}).text, "aab");
  const Answer answer = answer_of("aabaabaa", {"aabaac"});
  EXPECT_EQ(answer.text, "aabaabaa") << "held back until the end";
  EXPECT_FALSE(answer.stopped);
}

TEST(AnswerText, TheFirstOfSeveralStopStringsWins) {
  EXPECT_EQ(answer_of("one two three", {"three", "two"}).text, "one ");
}

TEST(AnswerText, RefusesAnEmptyStopString) { EXPECT_THROW(AnswerText(demo_tokenizer(), {""}), Error); }

TEST(AnswerText, IncompleteCharacterAtTheEndIsReplaced) {
  const auto tokenizer = demo_tokenizer();
  std::vector<int32_t> ids = tokenizer->encode("\U0001F600");
  ASSERT_GT(ids.size(), 1U);
  ids.pop_back();
  AnswerText answer(tokenizer, {});
  for (const int32_t id : ids) EXPECT_EQ(answer.feed(id), "");
  EXPECT_EQ(answer.finish(), "\uFFFD");
}

}  // namespace
}  // namespace ftrun
