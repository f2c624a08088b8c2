// UTF-8 repair, the byte alphabet and normalization shortcuts.
#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>

#include "core/base/utf8_text.h"
#include "core/data/tokenizer/byte_alphabet.h"
#include "core/data/tokenizer/normalizer.h"

namespace ftrun {
namespace {

std::string utf8(std::initializer_list<uint32_t> values) {
  std::string out;
  for (const uint32_t value : values) append_code_point(value, out);
  return out;
}

TEST(Utf8Test, MaximalSubparts) {
  const std::string r = "\xEF\xBF\xBD";
  // Unicode 16, tables 3-8 to 3-11.
  EXPECT_EQ(replace_ill_formed("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
                               "A"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replace_ill_formed("\xED\xA0\x80\xED\xBF\xBF\xED\xAF"
                               "A"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replace_ill_formed("\xF4\x91\x92\x93\xFF"
                               "A\x80\xBF"
                               "B"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(replace_ill_formed("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                               "A"),
            r + r + r + r + "A");
  EXPECT_EQ(replace_ill_formed("\xF0\x9F\x98"), r);
  EXPECT_TRUE(first_utf8_part("\xF0\x9F\x98").truncated);
  EXPECT_FALSE(first_utf8_part("\xF0\x9F"
                               "A")
                   .truncated);
}

TEST(Utf8Test, RoundTripsEveryCodePoint) {
  for (uint32_t value = 0; value < 0x110000; ++value) {
    if (value >= 0xD800 && value < 0xE000) continue;
    const std::string text = utf8({value});
    ASSERT_EQ(well_formed_prefix(text), text.size());
    ASSERT_EQ(code_point_at(text, 0).value, value);
    ASSERT_EQ(code_point_at(text, 0).size_bytes, text.size());
  }
}

TEST(ByteAlphabetTest, IsABijection) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  EXPECT_EQ(symbols_to_bytes(bytes_to_symbols(bytes)), bytes);
  EXPECT_EQ(bytes_to_symbols(" \n"), "\xC4\xA0\xC4\x8A");
  EXPECT_EQ(symbols_to_bytes("\xE4\xBD\xA0"), std::nullopt);
}

/// What "inert" promises, from utf8proc's data: NFC leaves it alone, it is a starter and never the second half of a
/// pair.
TEST(NormalizerTest, InertCodePointsAreInert) {
  std::vector<bool> second_half(0x110000, false);
  for (uint32_t value = 0; value < 0x110000; ++value) {
    utf8proc_int32_t parts[16];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(value), parts, 16,
                                               static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE), &boundary);
    for (utf8proc_ssize_t k = 1; k < count; ++k) second_half[static_cast<size_t>(parts[k])] = true;
    if (!is_nfc_inert(value)) continue;
    ASSERT_FALSE(value >= 0xD800 && value < 0xE000);
    ASSERT_EQ(utf8proc_get_property(static_cast<utf8proc_int32_t>(value))->combining_class, 0) << std::hex << value;
    const std::string text = utf8({value});
    utf8proc_uint8_t* mapped = utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>((text + '\0').c_str()));
    if (value != 0) {
      ASSERT_EQ(reinterpret_cast<const char*>(mapped), text) << std::hex << value;
    }
    std::free(mapped);
  }
  for (uint32_t value = 0; value < 0x110000; ++value) {
    if (is_nfc_inert(value)) {
      ASSERT_FALSE(second_half[value]) << std::hex << value;
    }
  }
}

std::string nfc(const std::string& text) {
  std::string storage;
  return std::string(Normalizer({NormalizationForm::kNfc}).normalize(text, storage));
}

TEST(NormalizerTest, Nfc) {
  EXPECT_EQ(nfc(utf8({'x', 'e', 0x301, 'y'})), utf8({'x', 0xE9, 'y'}));
  EXPECT_EQ(nfc(utf8({0x212B, 0x2126})), utf8({0xC5, 0x3A9}));
  EXPECT_EQ(nfc(utf8({'a', 0x307, 0x323})), utf8({0x1EA1, 0x307}));
  EXPECT_EQ(nfc(utf8({0x1112, 0x1161, 0x11AB})), utf8({0xD55C}));
  EXPECT_EQ(nfc(utf8({0xAC00, 0x11A7})), utf8({0xAC00, 0x11A7}));
  EXPECT_EQ(nfc(utf8({0x11935, 0x11930})), utf8({0x11935, 0x11930}));  // unknown to Unicode 9
}

}  // namespace
}  // namespace ftrun
