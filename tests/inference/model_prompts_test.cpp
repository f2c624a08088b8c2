// What the model's own template gets of a row: prompts by every template of the goldens against transformers'
// apply_chat_template with enable_thinking true, false and undefined (tests/golden/model_prompts.py).
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <set>

#include "core/base/error.h"
#include "core/data/jinja_encoder.h"
#include "core/data/row_format.h"
#include "tests/data/golden_time.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

Json read_json(const std::string& name) {
  return Json::parse(std::ifstream(std::string(FTRUN_SOURCE_DIR "/tests/golden/") + name));
}

AlignedRow row_of(const Json& messages, const Json& tools) {
  const RowFormat& format = find_row_format("openai");
  const auto found = format.detect({{"messages", messages}, {"tools", tools}}, RowKind::kPrompt);
  return format.bind(found->first, found->second, RowKind::kPrompt)
      ->convert({{"messages", messages}, {"tools", tools}});
}

std::map<std::string, std::string> golden_templates(const Json& golden) {
  std::map<std::string, std::string> texts;
  for (const Json& one : {golden, read_json("jinja_templates.json"), read_json("foreign_templates.json")})
    for (const auto& item : one.at("templates").items()) texts[item.key()] = item.value().get<std::string>();
  return texts;
}

class ModelPrompts : public ::testing::Test {
 protected:
  struct Cells {
    size_t compared = 0, refused = 0;
    std::set<std::string> templates;
  };

  /// The ids of one case for one value of enable_thinking; `expected` is the index of its text, null where transformers
  /// refuses.
  void compare(const Json& one, std::optional<bool> enable_thinking, const Json& expected) {
    const std::string name = one.at("template").get<std::string>();
    const auto& tokenizer = tokenizers_.at(one.at("tokenizer").get<std::string>());
    const AlignedRow row = row_of(golden_.at("conversations").at(one.at("conversation").get<std::string>()),
                                  one.at("tools").get<bool>() ? golden_.at("tools") : Json());
    const JinjaEncoder writer(tokenizer, templates_.at(name), "golden",
                              {"", ThinkingOptions{enable_thinking}, testing::golden_time(golden_.at("now"))});
    if (expected.is_null()) {
      EXPECT_THROW(writer.ask(row.prompt, row.system, row.tools), RowError);
      ++cells_.refused;
      return;
    }
    const std::string text = golden_.at("texts").at(expected.get<size_t>()).get<std::string>();
    const std::vector<int32_t> ids = writer.ask(row.prompt, row.system, row.tools);
    EXPECT_EQ(ids, tokenizer->encode(text)) << tokenizer->decode(ids, false) << "\nexpected\n" << text;
    ++cells_.compared;
    cells_.templates.insert(name);
  }

  const Json golden_ = read_json("model_prompts.json");
  const std::map<std::string, std::string> templates_ = golden_templates(golden_);
  const std::map<std::string, std::shared_ptr<const Tokenizer>> tokenizers_ = {
      {"template_tokenizer", Tokenizer::load(FTRUN_SOURCE_DIR "/tests/golden/template_tokenizer")},
      {"foreign_tokenizer", Tokenizer::load(FTRUN_SOURCE_DIR "/tests/golden/foreign_tokenizer")}};
  Cells cells_;
};

TEST_F(ModelPrompts, EqualApplyChatTemplate) {
  for (const Json& text : golden_.at("cases")) {
    const Json one = Json::parse(text.get<std::string>());
    const Json& prompts = one.at("prompts");
    for (const auto& [key, thinking] :
         {std::pair{"true", std::optional(true)}, {"false", std::optional(false)}, {"none", std::optional<bool>()}}) {
      SCOPED_TRACE(one.at("template").get<std::string>() + ", " + one.at("tokenizer").get<std::string>() + ", " +
                   one.at("conversation").get<std::string>() + ", enable_thinking " + key);
      compare(one, thinking, prompts.contains(key) ? prompts[key] : prompts.at("true"));
    }
  }
  EXPECT_EQ(cells_.compared + cells_.refused, 3654U);
  EXPECT_EQ(cells_.refused, 462U);
  EXPECT_EQ(cells_.templates.size(), 29U);
}

}  // namespace
}  // namespace ftrun
