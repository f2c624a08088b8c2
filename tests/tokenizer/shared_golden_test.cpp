// Ids of the tokenizers in ../shared on our texts, on fuzzed Unicode and on all of ../shared/data.
// Leaves out: speed. Skips when ../shared is absent.
#include <gtest/gtest.h>

#include <sstream>

#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

namespace fs = std::filesystem;
using tokenizer_test::checksums;
using tokenizer_test::golden;
using tokenizer_test::golden_texts;
using Json = nlohmann::ordered_json;

const fs::path kShared = FTRUN_SHARED_DIR;

void add_strings(const Json& value, std::vector<std::string>& out) {
  if (value.is_string()) out.push_back(value.get<std::string>());
  if (!value.is_structured()) return;
  for (const Json& part : value) add_strings(part, out);
}

std::vector<std::string> data_strings(const fs::path& path) {
  std::vector<std::string> out;
  const std::string text = read_file(path);
  if (path.extension() != ".jsonl") {
    add_strings(Json::parse(text), out);
    return out;
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) add_strings(Json::parse(line), out);
  return out;
}

class SharedTokenizerTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!fs::exists(kShared / "tokenizers" / GetParam())) GTEST_SKIP() << "no " << kShared / "tokenizers" / GetParam();
    tokenizer_ = Tokenizer::load(kShared / "tokenizers" / GetParam());
    expected_ = golden("shared.json")["models"][GetParam()];
    block_ = golden("shared.json")["block"];
  }
  std::shared_ptr<const Tokenizer> tokenizer_;
  nlohmann::json expected_;
  size_t block_ = 0;
};

TEST_P(SharedTokenizerTest, OurTexts) {
  const std::vector<std::string> texts = golden_texts("texts.json");
  ASSERT_EQ(texts.size(), expected_["texts"].size());
  for (size_t k = 0; k < texts.size(); ++k) {
    EXPECT_EQ(tokenizer_->encode(texts[k]), expected_["texts"][k].get<std::vector<int32_t>>()) << texts[k];
  }
  EXPECT_EQ(checksums(*tokenizer_, texts, block_, false, true), expected_["texts_crc"].get<std::vector<uint32_t>>());
}

TEST_P(SharedTokenizerTest, FuzzedUnicode) {
  EXPECT_EQ(checksums(*tokenizer_, golden_texts("fuzz.json"), block_, false, true),
            expected_["fuzz"].get<std::vector<uint32_t>>());
}

TEST_P(SharedTokenizerTest, AllSharedData) {
  if (!fs::exists(kShared / "data")) GTEST_SKIP() << "no " << kShared / "data";
  for (const auto& [name, expected] : expected_["files"].items()) {
    const std::vector<std::string> strings = data_strings(kShared / "data" / name);
    EXPECT_EQ(strings.size(), expected["strings"].get<size_t>()) << name;
    EXPECT_EQ(checksums(*tokenizer_, strings, block_, false, false), expected["blocks"].get<std::vector<uint32_t>>())
        << name;
    size_t ids = 0;
    for (const std::string& text : strings) ids += tokenizer_->encode(text).size();
    EXPECT_EQ(ids, expected["ids"].get<size_t>()) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, SharedTokenizerTest, testing::Values("minimind", "qwen2.5"),
                         [](const auto& test) { return std::string(test.param).substr(0, 4); });

TEST(SharedTokenizerConfigTest, Qwen) {
  const fs::path folder = kShared / "tokenizers/qwen2.5";
  if (!fs::exists(folder)) GTEST_SKIP() << "no " << folder;
  const auto tokenizer = Tokenizer::load(folder);
  EXPECT_EQ(tokenizer->eos_token(), "<|im_end|>");
  EXPECT_EQ(tokenizer->eos_id(), 151645);
  EXPECT_EQ(tokenizer->pad_id(), 151643);
  EXPECT_EQ(tokenizer->bos_id(), std::nullopt);
  EXPECT_EQ(tokenizer->vocabulary_size(), 151665);
  EXPECT_EQ(tokenizer->config().model_max_length, 131072);
  EXPECT_FALSE(tokenizer->add_bos_token());
  ASSERT_EQ(tokenizer->files().size(), 2u);
  EXPECT_EQ(tokenizer->files()[0].content, read_file(folder / "tokenizer.json"));
}

}  // namespace
}  // namespace ftrun
