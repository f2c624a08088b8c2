// `ftrun tokenize`: lines to ids and back.
#include "core/data/tokenizer/tokenize_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/base/error.h"
#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

std::string run(const std::string& input, const TokenizeOptions& options, int lines,
                const std::string& tokenizer_json = tokenizer_test::patched_base({})) {
  const auto tokenizer = Tokenizer::from_json(tokenizer_json, "base.json");
  std::istringstream in(input);
  std::ostringstream out;
  EXPECT_EQ(tokenize_stream(*tokenizer, in, "in.txt", out, options), lines);
  return out.str();
}

TEST(TokenizeCommandTest, ThereAndBack) {
  const std::string text = "Hello, world!\n\n<|im_start|>x<|im_end|>\ncarriage\r\nlast";
  const std::string ids = run(text, {}, 5);
  EXPECT_THAT(ids, testing::MatchesRegex("\\[[0-9,]+\\]\n\\[\\]\n\\[1,[0-9]+,2\\]\n\\[[0-9,]+\\]\n\\[[0-9,]+\\]\n"));
  EXPECT_EQ(run(ids, {.decode = true}, 5), text + "\n");
  EXPECT_EQ(run("", {}, 0), "");
}

TEST(TokenizeCommandTest, SpecialTokensAreAddedAsHuggingFaceDoes) {
  const auto post_processor = nlohmann::json::parse(R"({"type": "TemplateProcessing", "pair": [],
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [1, 7], "tokens": ["a", "b"]},
                         "</s>": {"id": "</s>", "ids": [2], "tokens": ["c"]}}})");
  const std::string json = tokenizer_test::patched_base({{"post_processor", post_processor}});
  const std::string plain = run("Hello<|im_end|>\n\n", {.special_tokens = false}, 2, json);
  EXPECT_THAT(plain, testing::MatchesRegex("\\[[0-9,]+,2\\]\n\\[\\]\n"));
  const std::string text_ids = plain.substr(1, plain.find(']') - 1);
  EXPECT_EQ(run("Hello<|im_end|>\n\n", {}, 2, json), "[1,7," + text_ids + ",2]\n[1,7,2]\n");
  EXPECT_EQ(run("[1," + text_ids + "]", {.decode = true}, 1, json), "<|im_start|>Hello<|im_end|>\n");
  EXPECT_EQ(run("[1," + text_ids + "]", {.decode = true, .special_tokens = false}, 1, json), "Hello\n");
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
      run(input, {.decode = true}, 0);
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
      run(std::string("fine \xC3\xA9\n") + bad + "\nfine", {}, 0);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT);
      EXPECT_THAT(error.what(), testing::HasSubstr("in.txt:2: byte 2 of the line (0x"));
      EXPECT_THAT(error.what(), testing::HasSubstr("is not valid UTF-8"));
    }
  }
}

TEST(TokenizeCommandTest, NamesTheEncodingThatAMarkSays) {
  const std::pair<std::string, const char*> cases[] = {{std::string("\xFF\xFE"
                                                                    "a\0",
                                                                    4),
                                                        "UTF-16"},
                                                       {std::string("\xFF\xFE\0\0a\0\0\0", 8), "UTF-32"},
                                                       {std::string("\0\0\xFE\xFF\0\0\0a", 8), "UTF-32"}};
  for (const auto& [text, encoding] : cases) {
    try {
      run(text, {}, 0);
      ADD_FAILURE() << encoding;
    } catch (const Error& error) {
      EXPECT_EQ(error.what(), fmt::format("in.txt:1: the text is {}: save it as UTF-8", encoding));
    }
  }
}

}  // namespace
}  // namespace ftrun
