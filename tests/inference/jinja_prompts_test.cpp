// Ids of chats by a Jinja template against transformers' apply_chat_template (tests/golden/generate.py).
#include "core/inference/jinja_prompts.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/base/error.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

Json read_json(const std::string& name) {
  return Json::parse(std::ifstream(std::string(FTRUN_SOURCE_DIR "/tests/golden/") + name));
}

struct Chat {
  std::string system;
  std::vector<Message> messages;
};

/// As the data formats hand conversations on.
Chat chat_of(const Json& messages) {
  Chat chat;
  for (const Json& message : messages) {
    const std::string role = message.at("role"), content = message.at("content");
    if (role == "system") {
      chat.system = content;
    } else if (role == "tool") {
      chat.messages.push_back({MessageRole::kObservation, content});
    } else if (message.contains("tool_calls")) {
      chat.messages.push_back({MessageRole::kFunction, message["tool_calls"][0]["function"].dump()});
    } else {
      chat.messages.push_back({role == "user" ? MessageRole::kUser : MessageRole::kAssistant, content});
    }
  }
  return chat;
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
    const JinjaPrompts prompts(tokenizer, text, "golden", "", std::nullopt);
    const Chat chat = chat_of(row.at("messages"));
    const std::string tools = row.at("tools").is_null() ? "" : row["tools"].dump();
    EXPECT_EQ(prompts.write(chat.messages, chat.system, tools), row.at("ids").get<std::vector<int32_t>>())
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
  const JinjaPrompts plain(tokenizer, text, "t", "", std::nullopt);
  EXPECT_EQ(tokenizer->decode(plain.write(question, "", ""), false), "[user:Hi]<|im_end|>");
  const JinjaPrompts set(tokenizer, text, "t", "Be brief", false);
  EXPECT_EQ(tokenizer->decode(set.write(question, "", ""), false), "[system:Be brief][user:Hi]<|im_end|>False");
  EXPECT_EQ(tokenizer->decode(set.write(question, "Own", ""), false), "[system:Own][user:Hi]<|im_end|>False");
}

TEST(JinjaPrompts, ToolsThatAnsweredTogetherAreMessagesOfTheirOwn) {
  const auto tokenizer = Tokenizer::load(FTRUN_SOURCE_DIR "/configs/demo/model");
  const std::string text = "{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}";
  const JinjaPrompts prompts(tokenizer, text, "t", "", std::nullopt);
  const auto rendered = [&](const std::string& answers) {
    return tokenizer->decode(prompts.write({{MessageRole::kObservation, answers}}, "", ""), false);
  };
  EXPECT_EQ(rendered("12"), "[tool:12]");
  EXPECT_EQ(rendered(""), "[tool:]");
  EXPECT_EQ(rendered(fmt::format("12{0}{0}14", kToolAnswerSeparator)), "[tool:12][tool:][tool:14]");
}

TEST(JinjaPrompts, RefusesWhatItCannotWrite) {
  const auto tokenizer = Tokenizer::load(FTRUN_SOURCE_DIR "/configs/demo/model");
  EXPECT_THROW(JinjaPrompts(tokenizer, "{% if %}", "t", "", std::nullopt), Error);
  const JinjaPrompts prompts(tokenizer, "{{ raise_exception('no') }}", "t", "", std::nullopt);
  EXPECT_THROW(prompts.write({{MessageRole::kUser, "Hi"}}, "", ""), Error);
  EXPECT_THROW(prompts.write({{MessageRole::kFunction, "not json"}}, "", ""), RowError);
  EXPECT_THROW(prompts.write({{MessageRole::kUser, "Hi"}}, "", "{}"), RowError);
}

}  // namespace
}  // namespace ftrun
