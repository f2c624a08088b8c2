// YAML as PyYAML reads it (tests/golden/yaml_scalars.py), what is refused by line, and texts that were damaged at
// random.
#include "core/config/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/files.h"
#include "tests/config/refusal.h"

namespace ftrun {
namespace {

using Json = nlohmann::json;
using ::testing::StartsWith;

Json value_of(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsNull()) return nullptr;
  Json items = Json::array();
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) items.push_back(value_of(item));
    return items;
  }
  for (const auto& entry : node) items.push_back(Json::array({value_of(entry.first), value_of(entry.second)}));
  return {{"map", items}};
}

std::string load_refusal(const std::string& yaml) {
  return refusal([&] { load_yaml(yaml, {"a.yaml"}); });
}

TEST(YamlReader, ScalarsHaveTheTextThatPyYamlReads) {
  const Json rows = Json::parse(read_file(FTRUN_SOURCE_DIR "/tests/golden/yaml_scalars.json"));
  ASSERT_GT(rows.size(), 700u);
  for (const Json& row : rows) {
    const auto yaml = row.at("yaml").get<std::string>();
    std::string message;
    Json found;
    try {
      found = value_of(load_yaml(yaml, {"a.yaml"}).at(0));
    } catch (const Error& error) {
      message = error.what();
    }
    if (row.contains("refused")) {
      EXPECT_THAT(message, StartsWith("a.yaml:")) << Json(yaml) << " is read as " << found;
    } else {
      EXPECT_EQ(found, row.at("value")) << Json(yaml) << ": " << message;
    }
  }
}

TEST(YamlReader, ZeroBytesAreRefusedHoweverTheyAreWritten) {
  for (const char* zero : {"\\0", "\\x00", "\\u0000", "\\U00000000"}) {
    EXPECT_EQ(load_refusal(fmt::format("a: 1\noutput_dir: \"/x/a{}b\"\n", zero)),
              "a.yaml:2: output_dir: a zero byte, which no value may have");
  }
  EXPECT_EQ(load_refusal("a: 1\n\"k\\0\": v\n"), "a.yaml:2: a zero byte, which no value may have");
  EXPECT_EQ(load_refusal("a:\n  b:\n    - \"x\"\n    - \"\\0\"\n"),
            "a.yaml:4: b: a zero byte, which no value may have");
  EXPECT_EQ(load_refusal(std::string("a: 1\nb: x\0y\n", 12)),
            "a.yaml:2: not valid YAML: a zero byte; is this a text file?");
}

TEST(YamlReader, OtherEncodingsAreNamed) {
  EXPECT_EQ(load_refusal(std::string("\xFF\xFE"
                                     "a\0:\0",
                                     6)),
            "a.yaml:1: not valid UTF-8: the file is UTF-16; save the file as UTF-8");
  for (const std::string& text : {std::string("\xFF\xFE\0\0a\0\0\0", 8), std::string("\0\0\xFE\xFF\0\0\0a", 8)})
    EXPECT_EQ(load_refusal(text), "a.yaml:1: not valid UTF-8: the file is UTF-32; save the file as UTF-8");
  EXPECT_EQ(load_refusal("a: \xC4\xE3\n"), "a.yaml:1: not valid UTF-8: byte 0xC4; save the file as UTF-8");
}

TEST(YamlReader, AKeyWithoutAColonIsRefusedByLine) {
  EXPECT_EQ(load_refusal("a: 1\nbf16\n"), "a.yaml:2: 'bf16' has no ':' behind it: expected 'key: value'");
  EXPECT_EQ(load_refusal("a: 1\nm:\n  b: 1\n  \"c d\""), "a.yaml:4: 'c d' has no ':' behind it: expected 'key: value'");
  EXPECT_EQ(load_refusal("a: 1\nb:"), "");
  EXPECT_EQ(load_refusal("a: 1\nb:   # nothing\n"), "");
}

TEST(YamlReader, AnAnchorsTextIsReadWhereItStands) {
  const auto documents = load_yaml("a: &x |2\n    q\n\nlist:\n        - *x\n        - \"y\\_\"\n", {"a.yaml"});
  EXPECT_EQ(documents[0]["list"][0].Scalar(), "  q\n");
  EXPECT_EQ(documents[0]["list"][1].Scalar(), "y\u00A0");
}

TEST(YamlReader, DamagedTextsEndInAnErrorOrInValues) {
  std::mt19937 random(2611);
  const std::vector<std::string> seeds = {
      "### model\nmodel: /x/y\ndataset: [a, b]\ntemplate: \"q\\_\"\nkw: {min_lr: 0.1, z: 'q'}\nlist:\n  - a\n  - b: "
      "1\n",
      "system: |\n  You are\n\n  nice\nstop: [\"a\\n\", 'b''c']\nmap:\n  x: >-\n    f1\n    f2\n\n    f3\n  y: z\n",
      "a: &b {c: d}\ne: *b\nf:\n  <<: *b\n  g: h\n? i\n: j\nk: plain\n  more\n\n  text\n"};
  const std::string bytes("\n\n  :-#'\"|>[]{},&*!?%@`\\abx0\t.~\0\xC3\xFF", 34);
  for (int round = 0; round < 3000; ++round) {
    std::string yaml = seeds[random() % seeds.size()];
    for (auto edits = 1 + random() % 4; edits > 0; --edits) {
      const size_t at = random() % yaml.size();
      const size_t kind = random() % 4;
      if (kind == 0) yaml.erase(at, 1 + random() % 3);
      if (kind == 1) yaml.insert(at, 1, bytes[random() % bytes.size()]);
      if (kind == 2) yaml[at] = bytes[random() % bytes.size()];
      if (kind == 3) yaml.resize(at + 1);
      if (yaml.empty()) yaml = ",";
    }
    try {
      for (const YAML::Node& document : load_yaml(yaml, {"a.yaml"})) {
        EXPECT_EQ(value_of(document).dump().find("\\u0000"), std::string::npos) << Json(yaml);
      }
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), StartsWith("a.yaml:")) << yaml;
    }
  }
}

}  // namespace
}  // namespace ftrun
