// Strict JSON: which texts are taken, where the others go wrong and in which words; and damaged texts.
#include "ftrun/cpp/json_syntax.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
#include "core/base/json_text.h"

namespace ftrun {
namespace {

using sdk::find_json_fault;
using sdk::JsonKeys;

std::string fault_of(std::string_view text) {
  const auto fault = find_json_fault(text);
  return fault ? fault->message(text) : "";
}

TEST(JsonSyntax, FaultsHaveLineColumnAndReason) {
  const std::pair<std::string, std::string> cases[] = {
      {"{\"a\": tru}",
       "1:7: not valid JSON: 'tru' is no JSON value: expected an object, a list, a string in double "
       "quotes, a number, true, false or null"},
      {"{\n  \"a\": 1,\n  b\n}", "3:3: not valid JSON: expected a key in double quotes"},
      {"{\"a\": None}", "1:7: not valid JSON: 'None' is no JSON value: JSON writes true, false and null"},
      {"{'a': 1}", "1:2: not valid JSON: a single quote: strings stand in double quotes"},
      {"{\"a\": 1,}", "1:9: not valid JSON: a comma before '}'"},
      {"[1,]", "1:4: not valid JSON: a comma before ']'"},
      {"[1 2]", "1:4: not valid JSON: expected ',' or ']' after a value"},
      {"{\"a\" 1}", "1:6: not valid JSON: expected ':' after a key"},
      {"{\"a\": 1", "1:8: not valid JSON: the text ends here: expected ',' or '}' after a value"},
      {"{\"a", "1:4: not valid JSON: the text ends inside a string"},
      {"", "1:1: not valid JSON: the text ends here: expected a value"},
      {"[1] x", "1:5: not valid JSON: there is more after the end of the value"},
      {"// x\n{}", "1:1: not valid JSON: comments are not JSON: remove it"},
      {"[01]", "1:2: not valid JSON: a number may not begin with 0"},
      {"[1.]", "1:4: not valid JSON: expected digits after the decimal point"},
      {"[1e+]", "1:5: not valid JSON: expected digits after the exponent's e"},
      {"[\n1e999]", "2:1: not valid JSON: the number 1e999 is beyond a 64-bit float"},
      {"[\"a\nb\"]", "1:4: not valid JSON: a line break inside a string: close it, or write \\n"},
      {"[\"\x01\"]", "1:3: not valid JSON: the control character 0x01 inside a string: write \\u0001"},
      {"[\"\\q\"]", "1:3: not valid JSON: a backslash that begins no escape: a backslash itself is written \\\\"},
      {"[\"\\u12g4\"]", "1:3: not valid JSON: \\u needs four hexadecimal digits"},
      {"[\"\\ud83d\"]", "1:3: not valid JSON: half of a surrogate pair, \\ud83d, is no character"},
      {"[\"\xC4\xE3\"]", "1:3: not valid JSON: the byte 0xC4 is not UTF-8: save the text as UTF-8"},
      {"[\"\xED\xA0\x80\"]", "1:3: not valid JSON: the byte 0xED is not UTF-8: save the text as UTF-8"},
      {std::string("\xFF\xFE{\0}\0", 6), "1:1: not valid JSON: the text is UTF-16: save it as UTF-8"},
      {std::string("\xFE\xFF\0{", 4), "1:1: not valid JSON: the text is UTF-16: save it as UTF-8"},
      {std::string("\xFF\xFE\0\0{\0\0\0", 8), "1:1: not valid JSON: the text is UTF-32: save it as UTF-8"},
      {std::string("\0\0\xFE\xFF\0\0\0{", 8), "1:1: not valid JSON: the text is UTF-32: save it as UTF-8"},
      {std::string("{}\0junk", 7), "1:3: not valid JSON: a zero byte: is this a text in UTF-8?"},
      {std::string("\0", 1), "1:1: not valid JSON: a zero byte: is this a text in UTF-8?"},
      {std::string("[\"a\0b\"]", 7), "1:4: not valid JSON: a zero byte inside a string: write \\u0000, if it is meant"},
      {std::string(257, '['), "1:257: not valid JSON: lists and objects are nested deeper than 256 levels"},
      {"{\"a\": 1,\n\"\\u0061\": 2}", "2: not valid: key 'a' appears twice in one object"}};
  for (const auto& [text, message] : cases) EXPECT_EQ(fault_of(text), message);
  for (const char* good :
       {"{}", " [ ] ", "\xEF\xBB\xBF{\"a\": [1.5e-3, -0, true, null]}", "\"\\ud83d\\ude00\\/\"", "-1",
        "{\"a\": {\"a\": [{\"a\": 1}, {\"a\": 2}]}}", "1e-999", "123456789012345678901234567890"})
    EXPECT_EQ(fault_of(good), "");
  EXPECT_FALSE(find_json_fault("{\"a\": 1, \"a\": 2}", JsonKeys::kMayRepeat));
}

TEST(JsonSyntax, ManyKeysAreComparedToo) {
  std::string text = "{";
  for (int i = 0; i < 100; ++i) text += "\"k" + std::to_string(i) + "\": 1, ";
  EXPECT_EQ(fault_of(text + "\"x\": 2}"), "");
  EXPECT_THAT(fault_of(text + "\"k3\": 2}"), testing::HasSubstr("key 'k3' appears twice"));
  EXPECT_THAT(fault_of(text + "\"\\u006b99\": 2}"), testing::HasSubstr("key 'k99' appears twice"));
}

TEST(JsonSyntax, AgreesWithTheLibraryOnDamagedTexts) {
  std::mt19937 random(1911);
  const std::string seed =
      "{\"instruction\": \"a\\\"b\\u00e9\\ud83d\\ude00\", \"i\": [1.5e3, -0, 12, true, null, {\"x\": "
      "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"}], \"o\": {}}";
  const std::string bytes = "[]{},:\"\\ \nx0e.-+u\x80\xC3tnd\x01";
  int taken = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string text = seed;
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const size_t at = random() % text.size();
      const size_t kind = random() % 4;
      if (kind == 0) text.erase(at, 1);
      if (kind == 1) text.insert(at, 1, bytes[random() % bytes.size()]);
      if (kind > 1) text[at] = bytes[random() % bytes.size()];
    }
    const auto fault = find_json_fault(text, JsonKeys::kMayRepeat);
    ASSERT_EQ(!fault, nlohmann::json::accept(text)) << text << (fault ? fault->message(text) : "");
    ASSERT_LE(fault ? fault->offset : 0, text.size());
    taken += fault ? 0 : 1;
  }
  EXPECT_GT(taken, 1000);
}

TEST(JsonText, ErrorsNameTheFile) {
  const auto message_of = [](std::string_view text, size_t first_line) {
    try {
      parse_json(text, "x.json", JsonKeys::kUnique, first_line);
    } catch (const Error& error) {
      EXPECT_EQ(exit_code_of(error.code()), 2);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message_of("{\n  b\n}", 1), testing::StartsWith("x.json:2:3: not valid JSON: "));
  EXPECT_THAT(message_of("{\n  b\n}", 10), testing::StartsWith("x.json:11:3: not valid JSON: "));
  EXPECT_EQ(message_of("{\"b\": {\"a\": \"a\"},\n\"c\": [{\"a\": 1}],\n\"a\": 1,\n \"a\" : 2}", 1),
            "x.json:4: not valid: key 'a' appears twice in one object");
  EXPECT_EQ(message_of("[1, 2]", 1), "");
}

}  // namespace
}  // namespace ftrun
