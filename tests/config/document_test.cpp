// YAML to settings: positions, quotes, and what is no configuration.
#include "core/config/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/config/refusal.h"

namespace ftrun {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using Kind = SettingValue::Kind;

std::string parse_refusal(const std::string& text) {
  return refusal([&] { parse_config_text(text, "a.yaml"); });
}

TEST(Document, KeepsTextQuotesAndPositions) {
  const auto settings =
      parse_config_text("### model\nseed: 1e-4\n\nname: \"1\"\nempty:\nlist: [a, b]\nmap:\n  x: y\n", "a.yaml");
  ASSERT_EQ(settings.size(), 5u);
  EXPECT_EQ(settings[0].key, "seed");
  EXPECT_EQ(settings[0].origin, "a.yaml:2");
  EXPECT_EQ(settings[0].value.scalar, "1e-4");
  EXPECT_FALSE(settings[0].value.quoted);
  EXPECT_TRUE(settings[1].value.quoted);
  EXPECT_EQ(settings[1].value.origin, "a.yaml:4");
  EXPECT_EQ(settings[2].value.kind, Kind::kNull);
  EXPECT_EQ(settings[3].value.kind, Kind::kList);
  EXPECT_EQ(settings[3].value.items[1].scalar, "b");
  EXPECT_EQ(settings[4].value.entries[0].origin, "a.yaml:8");
}

TEST(Document, NullIsNullUnlessQuoted) {
  const auto settings = parse_config_text("a: null\nb: ~\nc: 'null'\n", "a.yaml");
  EXPECT_EQ(settings[0].value.kind, Kind::kNull);
  EXPECT_EQ(settings[1].value.kind, Kind::kNull);
  EXPECT_EQ(settings[2].value.kind, Kind::kScalar);
}

TEST(Document, ResolvesAnchorsAndMergeKeys) {
  const auto settings = parse_config_text("a: &x {name: one, n: 1}\nb: *x\nc:\n  <<: *x\n  n: 2\n", "a.yaml");
  EXPECT_EQ(settings[1].value.entries[0].value.scalar, "one");
  ASSERT_EQ(settings[2].value.entries.size(), 2u);
  EXPECT_EQ(settings[2].value.entries[0].value.scalar, "2");
  EXPECT_EQ(settings[2].value.entries[1].value.scalar, "one");
  EXPECT_EQ(parse_refusal("c:\n  <<: 3\n"), "a.yaml:2: '<<' merges maps, got '3'");
}

TEST(Document, AnEmptyFileHasNoSettings) {
  EXPECT_TRUE(parse_config_text("", "a.yaml").empty());
  EXPECT_TRUE(parse_config_text("# nothing\n", "a.yaml").empty());
}

TEST(Document, RefusesDuplicateKeysNamingBothLines) {
  EXPECT_EQ(parse_refusal("seed: 1\nstage: x\nseed: 2\n"), "a.yaml:3: duplicate key 'seed', first given at a.yaml:1");
  EXPECT_EQ(parse_refusal("s:\n  a: 1\n  a: 2\n"), "a.yaml:3: duplicate key 'a', first given at a.yaml:2");
}

TEST(Document, RefusesMalformedYamlWithLineAndColumn) {
  EXPECT_THAT(parse_refusal("a: 1\nb: [1, 2\nc: 3\n"), MatchesRegex("a.yaml:[0-9]+:[0-9]+: not valid YAML: .*"));
  EXPECT_THAT(parse_refusal("a: 1\n\tb: 2\n"), StartsWith("a.yaml:2:"));
  EXPECT_THAT(parse_refusal("a: *missing\n"), HasSubstr("a.yaml:1:4: not valid YAML"));
  EXPECT_THAT(parse_refusal("a: 'open\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(parse_refusal("a: \"open\nb: 2\n"), HasSubstr("not valid YAML"));
  EXPECT_EQ(parse_refusal("a: 1\nb: !thing 2\n"), "a.yaml:2: YAML tag '!thing' is not supported");
}

TEST(Document, RefusesWhatIsNoConfiguration) {
  EXPECT_EQ(parse_refusal("- a\n- b\n"), "a.yaml:1: expected 'key: value' lines at the top level, got a list");
  EXPECT_EQ(parse_refusal("# first\n- a\nb: 1\nc: 2\n"),
            "a.yaml:2: expected 'key: value' lines at the top level, got a list");
  EXPECT_EQ(parse_refusal("just text\n"), "a.yaml:1: expected 'key: value' lines at the top level, got plain text");
  EXPECT_EQ(parse_refusal("a: 1\n---\nb: 2\n"),
            "a.yaml:2: a second YAML document begins ('---'): expected one in a file");
  EXPECT_THAT(parse_refusal("%YAML 1.2\n---\n# about\na: |\n  text\n---\nb: 2\n"), StartsWith("a.yaml:6: a second"));
  EXPECT_EQ(parse_refusal("[a]: 1\n"), "a.yaml:1: a key must be plain text");
  EXPECT_EQ(parse_refusal(std::string("a: 1\nb: \0\n", 10)),
            "a.yaml:2: not valid YAML: a zero byte; is this a text file?");
}

TEST(Document, RefusesTextThatIsNotUtf8) {
  EXPECT_EQ(parse_refusal("a: 1\nb: caf\xE9\n"), "a.yaml:2: not valid UTF-8: byte 0xE9; save the file as UTF-8");
  for (const char* bad : {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98", "\xFF\xFE"}) {
    EXPECT_THAT(parse_refusal(fmt::format("# one\na: {}\n", bad)), StartsWith("a.yaml:2: not valid UTF-8")) << bad;
  }
  EXPECT_EQ(parse_config_text("a: \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\n", "a.yaml").front().value.scalar,
            "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(Document, RefusesDeepNestingWithItsLine) {
  for (const size_t levels : {100, 5000}) {
    const std::string text = "a: 1\nb: " + std::string(levels, '[') + std::string(levels, ']') + "\n";
    EXPECT_EQ(parse_refusal(text), "a.yaml:2: lists and maps are nested too deeply: expected at most 64 levels");
    EXPECT_THAT(refusal([&] { parse_config_value(text.substr(8), "--b"); }),
                StartsWith("--b: lists and maps are nested"));
  }
}

TEST(Document, RefusesExponentialAliases) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 8; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += fmt::format("a{0}: &a{0} [{1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}, {1}]\n", i, before);
  }
  EXPECT_THAT(parse_refusal(text), HasSubstr("more than 100000 values"));
}

TEST(Document, ReadsFilesAndNamesMissingOnes) {
  EXPECT_THAT(refusal([] { read_config_file("/no/such.yaml"); }), HasSubstr("/no/such.yaml"));
}

}  // namespace
}  // namespace ftrun
