// Ids of chats by a Jinja template against transformers' apply_chat_template (tests/golden/generate.py).
#include "core/data/jinja_encoder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json read_json(const std::string& name) {
  return Json::parse(std::ifstream(std::string(FTRUN_SOURCE_DIR "/tests/golden/") + name));
}

AlignedRow row_of(const Json& messages, const Json& tools) {
  const RowFormat& format = find_row_format("openai");
  ColumnMap columns = format.default_columns(RowKind::kPrompt);
  columns["tools"] = "tools";
  return format.bind(columns, format.default_tags, RowKind::kPrompt)
      ->convert({{"messages", messages}, {"tools", tools}});
}

fs::path folder_of(const std::string& name) {
  const std::string shared = "shared/";
  if (!name.starts_with(shared)) return fs::path(FTRUN_SOURCE_DIR) / name;
  return fs::path(FTRUN_SHARED_DIR) / name.substr(shared.size());
}

TEST(JinjaPrompts, IdsEqualApplyChatTemplate) {
  const Json templates = read_json("jinja_templates.json").at("templates");
  const Json golden = read_json("generation.json");
  int compared = 0;
  for (const Json& row : golden.at("chats")) {
    const fs::path folder = folder_of(row.at("tokenizer"));
    if (!fs::exists(folder)) continue;  // the public tokenizers are not in the repository
    const auto tokenizer = Tokenizer::load(folder);
    std::string text = tokenizer->chat_template();
    if (row.at("template").is_string()) text = templates.at(row["template"].get<std::string>());
    const JinjaEncoder prompts(tokenizer, text, "golden", {"", ThinkingOptions{std::nullopt}, {}});
    const AlignedRow aligned = row_of(row.at("messages"), row.at("tools"));
    EXPECT_EQ(prompts.ask(aligned.prompt, aligned.system, aligned.tools), row.at("ids").get<std::vector<int32_t>>())
        << row.dump().substr(0, 300);
    ++compared;
  }
  EXPECT_GE(compared, 3);
}

TEST(JinjaPrompts, DefaultSystemAndThinkingReachTheTemplate) {
  const auto tokenizer = Tokenizer::load(FTRUN_SOURCE_DIR "/configs/demo/model");
  const std::string text =
      "{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}{{ eos_token }}"
      "{% if enable_thinking is defined %}{{ enable_thinking }}{% endif %}";
  const std::vector<Message> question = {{MessageRole::kUser, "Hi"}};
  const JinjaEncoder plain(tokenizer, text, "t", {"", ThinkingOptions{std::nullopt}, {}});
  EXPECT_EQ(tokenizer->decode(plain.ask(question, std::nullopt, ""), false), "[user:Hi]<|im_end|>");
  const JinjaEncoder set(tokenizer, text, "t", {"Be brief", ThinkingOptions{false}, {}});
  EXPECT_EQ(tokenizer->decode(set.ask(question, std::nullopt, ""), false), "[system:Be brief][user:Hi]<|im_end|>False");
  EXPECT_EQ(tokenizer->decode(set.ask(question, "Own", ""), false), "[system:Own][user:Hi]<|im_end|>False");
}

TEST(JinjaPrompts, RefusesWhatItCannotWrite) {
  const auto tokenizer = Tokenizer::load(FTRUN_SOURCE_DIR "/configs/demo/model");
  EXPECT_THROW(JinjaEncoder(tokenizer, "{% if %}", "t", {}), Error);
  const JinjaEncoder prompts(tokenizer, "{{ raise_exception('no') }}", "t", {"", ThinkingOptions{std::nullopt}, {}});
  EXPECT_THROW(prompts.ask(std::vector<Message>{{MessageRole::kUser, "Hi"}}, std::nullopt, ""), RowError);
  EXPECT_THROW(prompts.ask(std::vector<Message>{{MessageRole::kUser, "Hi"}}, std::nullopt, "{}"), RowError);
}

}  // namespace
}  // namespace ftrun
