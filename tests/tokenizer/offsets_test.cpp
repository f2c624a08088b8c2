// Where tokens stand in a text, against Hugging Face `tokenizers` (tests/golden/token_offsets.py).
#include <gmock/gmock.h>

#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

using ::testing::ElementsAre;
using tokenizer_test::golden;
using tokenizer_test::golden_texts;

MATCHER_P2(At, begin, end, "") {
  return arg.begin == static_cast<size_t>(begin) && arg.end == static_cast<size_t>(end);
}

std::string line_of(const TokenizedText& tokens) {
  std::string line;
  for (const TokenOffsets& token : tokens.offsets)
    line += (line.empty() ? "" : ",") + std::to_string(token.begin) + "-" + std::to_string(token.end);
  return line;
}

TEST(TokenOffsets, EqualTheOracles) {
  const nlohmann::json variants = golden("variants.json")["variants"];
  const nlohmann::json file = golden("offsets.json");
  const size_t block = file["block"];
  for (const auto& [name, expected] : file["variants"].items()) {
    const auto tokenizer = Tokenizer::from_json(tokenizer_test::patched_base(variants[name]["patch"]), name);
    for (const char* set : {"texts", "fuzz"}) {
      const std::vector<std::string> texts = golden_texts(std::string(set) + ".json");
      const auto skipped = expected["skipped"][set].get<std::vector<size_t>>();
      std::vector<uint32_t> sums;
      for (size_t start = 0; start < texts.size(); start += block) {
        uint32_t crc = 0;
        for (size_t k = start; k < std::min(texts.size(), start + block); ++k) {
          const TokenizedText tokens = tokenizer->encode_with_offsets(texts[k]);
          EXPECT_EQ(tokens.ids, tokenizer->encode(texts[k])) << name << " " << texts[k];
          const bool skips = std::find(skipped.begin(), skipped.end(), k) != skipped.end();
          crc = tokenizer_test::crc32((skips ? "-" : line_of(tokens)) + "\n", crc);
        }
        sums.push_back(crc);
      }
      EXPECT_EQ(sums, expected[set].get<std::vector<uint32_t>>()) << name << " " << set;
    }
  }
}

TEST(TokenOffsets, NeverGoBackAndStayInside) {
  const nlohmann::json variants = golden("variants.json")["variants"];
  for (const auto& [name, variant] : variants.items()) {
    const auto tokenizer = Tokenizer::from_json(tokenizer_test::patched_base(variant["patch"]), name);
    for (const std::string& text : golden_texts("fuzz.json")) {
      TokenOffsets before;
      for (const TokenOffsets& token : tokenizer->encode_with_offsets(text).offsets) {
        ASSERT_TRUE(before.begin <= token.begin && before.end <= token.end && token.begin <= token.end &&
                    token.end <= text.size())
            << name << " " << text;
        before = token;
      }
    }
  }
}

TEST(TokenOffsets, WhatNfcComposesBelongsToTheWholeStretch) {
  const auto tokenizer = Tokenizer::from_json(tokenizer_test::patched_base({{"normalizer", {{"type", "NFC"}}}}), "nfc");
  // "x", e with a combining acute accent, "y": the accent composes with the e before it.
  const TokenizedText tokens = tokenizer->encode_with_offsets("x\x65\xCC\x81y");
  EXPECT_EQ(tokens.offsets.front().begin, 0u);
  EXPECT_EQ(tokens.offsets.back().end, 5u);
  for (const TokenOffsets& token : tokens.offsets)
    EXPECT_TRUE(token.end <= 1 || token.begin >= 4 || (token.begin <= 1 && token.end >= 4));
}

TEST(TokenOffsets, AnAddedSpaceStandsForTheFirstCharacter) {
  const auto tokenizer = Tokenizer::from_json(
      tokenizer_test::patched_base(
          {{"pre_tokenizer",
            {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", false}, {"use_regex", true}}}}),
      "prefix");
  EXPECT_THAT(tokenizer->encode_with_offsets("<|im_start|>q").offsets, ElementsAre(At(0, 12), At(12, 13), At(12, 13)));
}

}  // namespace
}  // namespace ftrun
