// Regular expressions: matching order, refusals. Equality with Oniguruma is shown by golden_test.cpp.
#include "core/data/tokenizer/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/tokenizer/oniguruma_pattern.h"

namespace ftrun {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<TextRange> matches(std::string_view pattern, std::string_view text) {
  RegexScratch scratch;
  std::vector<TextRange> out;
  Regex(pattern).find_all(text, scratch, out);
  return out;
}

TEST(RegexTest, EmptyMatches) {
  EXPECT_THAT(matches("x*", "axxb"), ElementsAre(TextRange{0, 0}, TextRange{1, 3}, TextRange{4, 4}));
  EXPECT_THAT(matches("x*", ""), ElementsAre(TextRange{0, 0}));
  EXPECT_THAT(matches("a", ""), ElementsAre());
}

TEST(RegexTest, WhiteSpaceLeavesOutTheMongolianVowelSeparator) {
  EXPECT_THAT(matches("\\s+", " \xE1\xA0\x8E "), ElementsAre(TextRange{0, 1}, TextRange{4, 5}));
  EXPECT_THAT(matches("[^\\S ]", " \t"), ElementsAre(TextRange{1, 2}));
}

TEST(RegexTest, KnowsNewerLetters) {
  EXPECT_EQ(matches("\\p{L}", "\xE1\xB2\x89").size(), 1u);  // U+1C89, Unicode 16
  EXPECT_EQ(matches("[^\\p{L}]", "\xE1\xB2\x89").size(), 0u);
}

TEST(RegexTest, RefusesByName) {
  const std::pair<const char*, const char*> cases[] = {{"(a", "without ')'"},
                                                       {"a)", "without '('"},
                                                       {"[a", "without ']'"},
                                                       {"\\h", "'\\h'"},
                                                       {"\\w+", "'\\w'"},
                                                       {"\\bx", "'\\b'"},
                                                       {"(a)\\1", "'\\1'"},
                                                       {"\\p{Mn}", "'Mn'"},
                                                       {"\\p{Lx}", "'Lx'"},
                                                       {"\\pL", "braces"},
                                                       {"[a[b]]", "'\\['"},
                                                       {"[a&&b]", "'&&'"},
                                                       {"[[:alpha:]]", "'\\['"},
                                                       {"(?<n>a)", "group"},
                                                       {"(?m:a)", "group"},
                                                       {"a{,3}", "'{'"},
                                                       {"a{2}+", "quantifier"},
                                                       {"a**", "quantifier"},
                                                       {"(?i:ss)", "ss, st"},
                                                       {"(?i:\xC3\xA9)", "ASCII"},
                                                       {"(?i:\\p{Lu})", "(?i)"},
                                                       {"a(?i)b", "start of a group"},
                                                       {"[]a]", "first member"},
                                                       {"[z-a]", "empty range"},
                                                       {"\\x{110000}", "code point"},
                                                       {"a\\", "ends with"},
                                                       {"*a", "regular expression"},
                                                       {"[a-\\s]", "range"},
                                                       {"\\u12", "hexadecimal"},
                                                       {"(?<=a+)b", "regular expression"}};
  for (const auto& [pattern, message] : cases) {
    try {
      Regex regex(pattern);
      ADD_FAILURE() << pattern << " was accepted as " << translate_oniguruma(pattern);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), FTRUN_INVALID_ARGUMENT) << pattern;
      EXPECT_THAT(error.what(), HasSubstr(message)) << pattern;
    }
  }
}

}  // namespace
}  // namespace ftrun
