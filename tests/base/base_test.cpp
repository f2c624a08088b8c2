// Nearest names, messages, atomic files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/base/code_points.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/message_places.h"
#include "core/base/nearest_name.h"
#include "core/base/printable_text.h"

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

TEST(MessagePlaces, WhatAPlaceNamesIsNotNamedAgain) {
  EXPECT_EQ(name_places_once("--top_p: top_p: expected a number"), "--top_p: expected a number");
  EXPECT_EQ(name_places_once("2 errors:\n  --a: a: x\n  --b: b: y"), "2 errors:\n  --a: x\n  --b: y");
  EXPECT_EQ(name_places_once("--strategy.offload: strategy.offload: x"), "--strategy.offload: x");
  EXPECT_EQ(name_places_once("d.json:3: d.json:3: x"), "d.json:3: x");
  EXPECT_EQ(name_places_once("no row in d.json:3: d.json:3: x"), "no row in d.json:3: x");
  EXPECT_EQ(name_places_once("2 errors:\n  a b.json:3:1: a b.json:3:1: x\n"), "2 errors:\n  a b.json:3:1: x\n");
  for (const char* kept :
       {"--model: model_name_or_path: x", "f.yaml:3: top_p: top_p: x", "--top_p: top_pq: x", "f.yaml:3: f.yaml:4: x",
        "3: 3: x", "", "--", "x--top_p: top_p: y", "--top_p: top_p:", "--: : x"})
    EXPECT_EQ(name_places_once(kept), kept);
}

TEST(NearestName, FindsTyposAndIgnoresStrangers) {
  const std::vector<std::string> known = {"learning_rate", "num_train_epochs", "bf16"};
  EXPECT_EQ(nearest_name("learing_rate", known), "learning_rate");
  EXPECT_EQ(nearest_name("Num-Train-Epochs", known), "num_train_epochs");
  EXPECT_EQ(nearest_name("zzzzzzzz", known), "");
  EXPECT_EQ(did_you_mean("fb16", known), " (did you mean 'bf16'?)");
}

TEST(PrintableText, NeitherControlsNorRawBytesReachAMessage) {
  EXPECT_EQ(printable_text("a\tb\nc \u00e9"), "a\tb\nc \u00e9");
  EXPECT_EQ(printable_text(std::string("a\0\x1b[2J\x7f", 7)), "a\\x00\\x1B[2J\\x7F");
  EXPECT_EQ(printable_text("\xC4\xE3x"), "\uFFFD\uFFFDx");
}

TEST(Files, APathWithAZeroByteIsNoOtherFile) {
  const std::filesystem::path path(std::string("/tmp/a\0b", 8));
  EXPECT_THAT(message_of([&] { read_file(path); }), HasSubstr("zero byte"));
  EXPECT_THAT(message_of([&] { AtomicFile file(path); }), HasSubstr("zero byte"));
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
