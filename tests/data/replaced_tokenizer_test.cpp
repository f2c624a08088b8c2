// What transformers does to folders of tokenizers, against transformers (tests/golden/tokenizer_classes.json).
#include "core/data/replaced_tokenizer.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/data/tokenizer/tokenizer.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

class ReplacedTokenizerTest : public DataTest {
 protected:
  /// Of a folder of the golden's row.
  std::optional<ReplacedTokenizer> replaced_tokenizer_of(const json& parts, const json& row) {
    json tokenizer = read_json_file(golden_folder() / "template_tokenizer/tokenizer.json");
    tokenizer["normalizer"] = parts.at("normalizer");
    tokenizer["pre_tokenizer"] = parts.at("pre_tokenizer");
    tokenizer["model"]["ignore_merges"] = parts.at("ignore_merges");
    write("tokenizer.json", tokenizer.dump());
    json settings = json::object();
    if (!row.at("tokenizer_class").is_null()) settings["tokenizer_class"] = row.at("tokenizer_class");
    write("tokenizer_config.json", settings.dump());
    std::filesystem::remove(folder_ / "config.json");
    if (!row.at("model_type").is_null()) {
      write("config.json", json{{"model_type", row.at("model_type")}}.dump());
    }
    return replaced_tokenizer(Tokenizer::load(folder_)->rules(), folder_);
  }
};

TEST_F(ReplacedTokenizerTest, IsWhatTransformersReplaces) {
  const json golden = read_json_file(golden_folder() / "tokenizer_classes.json");
  ASSERT_GT(golden.at("rows").size(), 100U);
  for (const json& row : golden.at("rows")) {
    SCOPED_TRACE(row.dump());
    const auto replaced = replaced_tokenizer_of(golden.at("parts").at(row.at("parts")), row);
    EXPECT_EQ(replaced.has_value(), !row.at("same_ids").get<bool>());
    if (!replaced) continue;
    EXPECT_EQ(replaced->class_name, row.at("opened_as").get<std::string>());
  }
}

TEST_F(ReplacedTokenizerTest, NamesThePartsAndWhetherAClassHelps) {
  const json golden = read_json_file(golden_folder() / "tokenizer_classes.json");
  const json& parts = golden.at("parts");
  for (const json& row : golden.at("rows")) {
    if (row.at("same_ids").get<bool>()) continue;
    const auto replaced = replaced_tokenizer_of(parts.at(row.at("parts")), row);
    ASSERT_TRUE(replaced.has_value()) << row;
    // The class that takes the file as it is, where it is asked: does it still not help?
    json asked = row;
    asked["tokenizer_class"] = "PreTrainedTokenizerFast";
    const bool helps = !replaced_tokenizer_of(parts.at(row.at("parts")), asked).has_value();
    EXPECT_EQ(replaced->is_always, !helps) << row;
    if (row.at("parts") == "byte_level" && row.at("opened_as") == "Qwen2Tokenizer") {
      EXPECT_THAT(replaced->parts, ElementsAre("normalizer", "pre_tokenizer"));
    }
    if (row.at("parts") == "byte_level_nfc" && row.at("opened_as") == "Qwen2Tokenizer") {
      EXPECT_THAT(replaced->parts, ElementsAre("pre_tokenizer"));
    }
  }
}

}  // namespace
}  // namespace ftrun::testing
