// Ids and texts of a small tokenizer and its variants against Hugging Face `tokenizers` (tests/golden/tokenizer.py).
// Leaves out: the tokenizers in ../shared (shared_golden_test.cpp).
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/byte_alphabet.h"
#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

using tokenizer_test::checksums;
using tokenizer_test::golden;
using tokenizer_test::golden_texts;

class VariantTest : public testing::TestWithParam<std::string> {
 public:
  static const nlohmann::json& file() {
    static const nlohmann::json variants = golden("variants.json");
    return variants;
  }
  static std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const auto& [name, variant] : file()["variants"].items()) out.push_back(name);
    return out;
  }
};

TEST_P(VariantTest, EqualsOracle) {
  const nlohmann::json& variant = file()["variants"][GetParam()];
  const size_t block = file()["block"];
  const auto tokenizer = Tokenizer::from_json(tokenizer_test::patched_base(variant["patch"]), GetParam());
  const bool special = variant["special"];
  EXPECT_EQ(tokenizer->encode(variant["example_text"].get<std::string>(), special),
            variant["example_ids"].get<std::vector<int32_t>>());
  for (const char* set : {"texts", "fuzz"}) {
    const auto expected = variant[set].get<std::vector<uint32_t>>();
    EXPECT_EQ(checksums(*tokenizer, golden_texts(std::string(set) + ".json"), block, special, true), expected) << set;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, VariantTest, testing::ValuesIn(VariantTest::names()),
                         [](const auto& test) { return test.param; });

std::shared_ptr<const Tokenizer> base() { return Tokenizer::from_json(tokenizer_test::patched_base({}), "base.json"); }

TEST(TokenizerTest, DecodingTheIdsGivesTheTextBack) {
  const auto tokenizer = base();
  for (const char* set : {"texts.json", "fuzz.json"}) {
    for (const std::string& text : golden_texts(set))
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text), false), text);
  }
}

TEST(TokenizerTest, IllFormedBytesCountAsReplacementCharacters) {
  const auto tokenizer = base();
  std::mt19937_64 random(5);
  for (int k = 0; k < 2000; ++k) {
    std::string bytes;
    for (uint64_t n = random() % 12; n > 0; --n) {
      bytes.push_back("\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\xC0\xF5\x41 \xC3"[random() % 14]);
    }
    EXPECT_EQ(tokenizer->encode(bytes), tokenizer->encode(replace_ill_formed(bytes)));
  }
}

TEST(TokenizerTest, LookUps) {
  const auto tokenizer = base();
  EXPECT_EQ(tokenizer->vocabulary_size(), 420);
  EXPECT_EQ(tokenizer->token_to_id("<|im_start|>"), 1);
  EXPECT_EQ(tokenizer->token_to_id("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer->id_to_token(2), "<|im_end|>");
  EXPECT_EQ(tokenizer->id_to_token(420), "");
  EXPECT_EQ(tokenizer->id_to_token(-1), "");
  EXPECT_TRUE(tokenizer->is_special(0));
  EXPECT_FALSE(tokenizer->is_special(3));
  EXPECT_FALSE(tokenizer->has_id(420));
  for (int32_t id = 0; id < 420; ++id) EXPECT_EQ(tokenizer->token_to_id(tokenizer->id_to_token(id)), id);
  const std::vector<int32_t> odd = {-5, 9999, 0, 2147483647};
  EXPECT_EQ(tokenizer->decode(odd, false), "<|endoftext|>");
  EXPECT_EQ(tokenizer->decode(odd, true), "");
}

TEST(TokenizerTest, FingerprintFollowsTheContent) {
  EXPECT_EQ(base()->fingerprint(), base()->fingerprint());
  const auto other = Tokenizer::from_json(tokenizer_test::patched_base({{"normalizer", {{"type", "NFC"}}}}), "x");
  EXPECT_NE(base()->fingerprint(), other->fingerprint());
}

#ifdef FTRUN_SANITIZER
constexpr size_t kLongWordBytes = 100000;
#else
constexpr size_t kLongWordBytes = 1000000;
#endif

TEST(TokenizerTest, LongWordsTakeAboutLinearTime) {
  const auto tokenizer = base();
  for (const char* unit : {"a", "abc", " ", "\n", "1", "\xCC\x81"}) {
    std::string text;
    while (text.size() < kLongWordBytes) text += unit;
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text), false), text);
  }
}

TEST(TokenizerTest, ThreadsGetTheSameIds) {
  const auto tokenizer = base();
  const std::vector<std::string> texts = golden_texts("fuzz.json");
  const std::vector<uint32_t> expected = checksums(*tokenizer, texts, 100, false, true);
  std::vector<std::vector<uint32_t>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] { result = checksums(*tokenizer, texts, 100, false, true); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(StreamDecoderTest, PiecesAreValidAndAddUp) {
  std::mt19937_64 random(11);
  for (const char* variant : {"base", "no_decoder", "decoder_fuse"}) {
    const auto tokenizer =
        Tokenizer::from_json(tokenizer_test::patched_base(VariantTest::file()["variants"][variant]["patch"]), variant);
    for (int round = 0; round < 400; ++round) {
      const bool skip = random() % 2 == 0;
      std::vector<int32_t> ids;
      for (uint64_t n = random() % 20; n > 0; --n) {
        // Mostly single bytes, so that characters are built up and broken off.
        ids.push_back(static_cast<int32_t>(random() % (random() % 4 == 0 ? 430 : 259)));
      }
      StreamDecoder stream(tokenizer, skip);
      std::string text;
      for (const int32_t id : ids) {
        const std::string piece = stream.feed(id);
        EXPECT_EQ(well_formed_prefix(piece), piece.size());
        text += piece;
      }
      EXPECT_EQ(text + stream.finish(), tokenizer->decode(ids, skip)) << variant;
      EXPECT_EQ(stream.finish(), "");
    }
  }
}

TEST(StreamDecoderTest, HoldsBackIncompleteCharacters) {
  const auto tokenizer = base();
  StreamDecoder stream(tokenizer, true);
  std::vector<int32_t> ids;  // one per byte
  for (const uint8_t byte : std::initializer_list<uint8_t>{0xF0, 0x9F, 0xA6, 0x99})
    ids.push_back(*tokenizer->token_to_id(symbol_of_byte(byte)));
  for (int k = 0; k < 3; ++k) EXPECT_EQ(stream.feed(ids[static_cast<size_t>(k)]), "");
  EXPECT_EQ(stream.feed(ids[3]), "\xF0\x9F\xA6\x99");
  EXPECT_EQ(stream.feed(ids[0]), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace ftrun
