// The hand-written scanners against the regular expressions they replace.
#include <gtest/gtest.h>

#include <random>

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/word_scanner.h"

namespace ftrun {
namespace {

const std::string kLlamaLike = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                               R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const std::string kOneDigit = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})"
                              R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

std::string random_text(std::mt19937_64& random) {
  const uint32_t favourites[] = {' ',    ' ',    '\n',   '\r',    '\t',    '\'',  's',    'T',     'l',      'r',
                                 'e',    'v',    'm',    'd',     'a',     '1',   '2',    '.',     '-',      0x17F,
                                 0xA0,   0x3000, 0x2028, 0x180E,  0x85,    0x301, 0xE9,   0x4E2D,  0x660,    0xBD,
                                 0x200B, 0x1C89, 0x897,  0x10D40, 0x1F600, 0x378, 0xE000, 0x2EBF0, 0x10FFFF, 0};
  std::string out;
  for (uint64_t n = random() % 24; n > 0; --n) {
    uint32_t value = favourites[random() % std::size(favourites)];
    if (random() % 8 == 0) value = static_cast<uint32_t>(random() % 0x110000);
    if (value >= 0xD800 && value < 0xE000) value = 'x';
    append_code_point(value, out);
  }
  return out;
}

TEST(WordScannerTest, EqualsTheExpression) {
  std::mt19937_64 random(17);
  RegexScratch scratch;
  for (const std::string& expression : {std::string(kByteLevelExpression), kLlamaLike, kOneDigit}) {
    const WordScanner scanner = scanner_for(expression);
    ASSERT_NE(scanner, nullptr);
    const Regex regex(expression);
    for (int k = 0; k < 20000; ++k) {
      const std::string text = random_text(random);
      std::vector<TextRange> scanned;
      std::vector<TextRange> matched;
      scanner(text, scanned);
      regex.find_all(text, scratch, matched);
      ASSERT_TRUE(scanned == matched) << expression << "\n" << testing::PrintToString(text);
    }
  }
}

#ifdef FTRUN_SANITIZER
constexpr uint32_t kCodePointStep = 11;
#else
constexpr uint32_t kCodePointStep = 1;
#endif

TEST(WordScannerTest, EveryCodePointIsClassifiedAlike) {
  RegexScratch scratch;
  const Regex regex(kLlamaLike);
  const WordScanner scanner = scanner_for(kLlamaLike);
  for (uint32_t value = 0; value < 0x110000; value += kCodePointStep) {
    if (value >= 0xD800 && value < 0xE000) continue;
    std::string text = "a";
    append_code_point(value, text);
    text += "b1";
    append_code_point(value, text);
    text += "2  ";
    append_code_point(value, text);
    std::vector<TextRange> scanned;
    std::vector<TextRange> matched;
    scanner(text, scanned);
    regex.find_all(text, scratch, matched);
    ASSERT_TRUE(scanned == matched) << std::hex << value;
  }
}

TEST(WordScannerTest, OtherExpressionsHaveNone) { EXPECT_EQ(scanner_for(R"(\p{L}+)"), nullptr); }

}  // namespace
}  // namespace ftrun
