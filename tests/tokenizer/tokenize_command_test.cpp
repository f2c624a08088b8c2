// `ftrun tokenize`: lines to ids and back.
#include "core/data/tokenizer/tokenize_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/base/error.h"
#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

std::string run(const std::string& input, bool decode, int lines) {
  const auto tokenizer = Tokenizer::from_json(tokenizer_test::patched_base({}), "base.json");
  std::istringstream in(input);
  std::ostringstream out;
  EXPECT_EQ(tokenize_stream(*tokenizer, in, "in.txt", out, decode), lines);
  return out.str();
}

TEST(TokenizeCommandTest, ThereAndBack) {
  const std::string text = "Hello, world!\n\n<|im_start|>x<|im_end|>\ncarriage\r\nlast";
  const std::string ids = run(text, false, 5);
  EXPECT_THAT(ids, testing::MatchesRegex("\\[[0-9,]+\\]\n\\[\\]\n\\[1,[0-9]+,2\\]\n\\[[0-9,]+\\]\n\\[[0-9,]+\\]\n"));
  EXPECT_EQ(run(ids, true, 5), text + "\n");
  EXPECT_EQ(run("", false, 0), "");
}

TEST(TokenizeCommandTest, NamesTheLine) {
  const std::pair<const char*, const char*> cases[] = {{"[1]\n[2", "in.txt:2: not valid JSON"},
                                                       {"{}", "in.txt:1: expected a JSON array of ids, got object"},
                                                       {"[1]\n\n", "in.txt:2: not valid JSON"},
                                                       {"[1,\"a\"]", "in.txt:1: element 1: \"a\" is not an id"},
                                                       {"[420]", "420 is not an id of this tokenizer (0..419)"},
                                                       {"[-1]", "-1 is not an id"},
                                                       {"[1.5]", "1.5 is not an id"}};
  for (const auto& [input, message] : cases) {
    try {
      run(input, true, 0);
      ADD_FAILURE() << input;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(), testing::HasSubstr(message));
    }
  }
}

TEST(TokenizeCommandTest, RefusesTextThatIsNotUtf8) {
  for (const char* bad : {"a\xFF", "a\xC3", "a\xED\xA0\x80", "a\xC0\x80"}) {
    try {
      run(std::string("fine \xC3\xA9\n") + bad + "\nfine", false, 0);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(), testing::HasSubstr("in.txt:2: byte 2 of the line (0x"));
      EXPECT_THAT(error.what(), testing::HasSubstr("is not valid UTF-8"));
    }
  }
}

}  // namespace
}  // namespace ftrun
