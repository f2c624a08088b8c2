// The trainer against Hugging Face's BpeTrainer on the same texts.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/data/tokenizer/bpe_trainer.h"
#include "tests/tokenizer/golden_files.h"

namespace ftrun {
namespace {

using tokenizer_test::golden;
using tokenizer_test::golden_texts;

const std::vector<std::string> kSpecials = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};

TEST(TrainerTest, EqualsOracle) {
  const std::string text = train_byte_level_bpe(golden_texts("texts.json"), 420, kSpecials);
  EXPECT_EQ(nlohmann::json::parse(text), golden("base.json"));
}

TEST(TrainerTest, ResultLoads) {
  const auto tokenizer = Tokenizer::from_json(train_byte_level_bpe(golden_texts("fuzz.json"), 1000, kSpecials), "x");
  EXPECT_EQ(tokenizer->vocabulary_size(), 1000);
  for (const std::string& line : golden_texts("texts.json")) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(line), false), line);
  }
}

TEST(TrainerTest, StopsAtMinFrequency) {
  const std::vector<std::string> corpus = {"abab ab ab", "xy"};
  const auto model = nlohmann::json::parse(train_byte_level_bpe(corpus, 1000, {}, 2))["model"];
  EXPECT_EQ(model["merges"].size(), 2u);
  EXPECT_EQ(model["merges"][0], nlohmann::json::array({"a", "b"}));
}

TEST(TrainerTest, Refusals) {
  EXPECT_THROW(train_byte_level_bpe({}, 258, kSpecials), Error);
  EXPECT_THROW(train_byte_level_bpe({}, -1, {}), Error);
  EXPECT_THROW(train_byte_level_bpe({}, 300, std::vector<std::string>{""}), Error);
  EXPECT_THROW(train_byte_level_bpe({}, 300, std::vector<std::string>{"<a>", "<a>"}), Error);
}

}  // namespace
}  // namespace ftrun
