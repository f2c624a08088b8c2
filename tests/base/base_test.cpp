// Nearest names, JSON positions, atomic files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/base/code_points.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/flag_origin.h"
#include "core/base/json_text.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

using testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(FlagOrigin, AKeyThatTheFlagNamesIsNotNamedAgain) {
  EXPECT_EQ(name_flags_once("--top_p: top_p: expected a number"), "--top_p: expected a number");
  EXPECT_EQ(name_flags_once("2 errors:\n  --a: a: x\n  --b: b: y"), "2 errors:\n  --a: x\n  --b: y");
  EXPECT_EQ(name_flags_once("--strategy.offload: strategy.offload: x"), "--strategy.offload: x");
  for (const char* kept : {"--model: model_name_or_path: x", "f.yaml:3: top_p: top_p: x", "--top_p: top_pq: x", "",
                           "--", "x--top_p: top_p: y", "--top_p: top_p:", "--: : x"})
    EXPECT_EQ(name_flags_once(kept), kept);
}

TEST(NearestName, FindsTyposAndIgnoresStrangers) {
  const std::vector<std::string> known = {"learning_rate", "num_train_epochs", "bf16"};
  EXPECT_EQ(nearest_name("learing_rate", known), "learning_rate");
  EXPECT_EQ(nearest_name("Num-Train-Epochs", known), "num_train_epochs");
  EXPECT_EQ(nearest_name("zzzzzzzz", known), "");
  EXPECT_EQ(did_you_mean("fb16", known), " (did you mean 'bf16'?)");
}

TEST(Json, ErrorsNameLineAndColumn) {
  EXPECT_THAT(message_of([] { parse_json("{\n  \"a\": 1,\n  b\n}", "x.json"); }),
              HasSubstr("x.json:3:3: not valid JSON"));
  EXPECT_THAT(message_of([] { parse_json("{\"a\": 1, \"a\": 2}", "x.json"); }), HasSubstr("key 'a' appears twice"));
  EXPECT_THAT(
      message_of([] { parse_json("{\"b\": {\"a\": \"a\"},\n\"c\": [{\"a\": 1}],\n\"a\": 1,\n \"a\" : 2}", "x.json"); }),
      HasSubstr("x.json:4: not valid: key 'a' appears twice"));
  EXPECT_EQ(parse_json("[1, 2]", "x.json").size(), 2U);
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const auto folder = std::filesystem::temp_directory_path() / "ftrun_base_test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  write_file_atomically(folder / "kept", "old");
  {
    AtomicFile file(folder / "kept");
    file.write("half of the new");
  }
  EXPECT_EQ(read_file(folder / "kept"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  write_file_atomically(folder / "kept", "new");
  EXPECT_EQ(MappedFile(folder / "kept").text(), "new");
  EXPECT_THAT(message_of([&] { read_file(folder / "absent"); }), HasSubstr("No such file"));
  std::filesystem::remove_all(folder);
}

TEST(CodePoints, WellFormedTextGoesBothWays) {
  const std::string text = "a\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf";
  EXPECT_TRUE(is_utf8(text));
  EXPECT_EQ(code_points(text), std::u32string(U"a\u00e9\u4f60\U0001f600\U0010ffff"));
  EXPECT_EQ(to_utf8(code_points(text)), text);
}

TEST(CodePoints, OverlongFormsSurrogatesAndCutSequencesAreNotUtf8) {
  for (const char* text :
       {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\x80", "\xff", "\xe4\xbd", "\xc3(", "\xf0\x9f\x98"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
  EXPECT_EQ(code_points("\xff"
                        "a"),
            std::u32string(U"\u00ffa"));
}

TEST(CodePoints, WhiteSpaceIsPythons) {
  size_t count = 0;
  for (char32_t point = 0; point <= 0x10FFFF; ++point) count += is_space(point) ? 1 : 0;
  EXPECT_EQ(count, 29u);  // of sum(chr(c).isspace() for c in range(0x110000))
  EXPECT_TRUE(is_space(U'\x1f') && is_space(U'\u3000') && !is_space(U'\u200b'));
}

}  // namespace
}  // namespace ftrun
