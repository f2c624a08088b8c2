// The chat template that a trained model is saved with renders, in transformers, what was trained on: goldens of
// tests/golden/chat_templates.py. And when end token, pad token and template of the folder change.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/data/saved_template.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const Json& goldens() {
  static const Json json = read_json_file(golden_folder() / "chat_templates.json");
  return json;
}

std::shared_ptr<const TemplateEncoder> encoder_of(const Json& item, std::shared_ptr<const Tokenizer> tokenizer) {
  const Json& options = item.at("options");
  DataSpec spec;
  spec.template_name = item.at("template").get<std::string>();
  spec.template_search_path = template_folders();
  spec.preserve_thinking = options.value("preserve_thinking", false);
  if (options.contains("enable_thinking"))
    spec.enable_thinking =
        options["enable_thinking"].is_null() ? std::nullopt : std::optional(options["enable_thinking"].get<bool>());
  if (options.contains("default_system")) spec.default_system = options["default_system"].get<std::string>();
  return make_template_encoder(spec, std::move(tokenizer));
}

std::vector<Message> messages_of(const Json& conversation) {
  std::vector<Message> messages;
  for (const Json& message : conversation.at("messages"))
    messages.push_back(golden_message(message[0].get<std::string>(), message[1].get<std::string>()));
  return messages;
}

std::string joined(const std::vector<int32_t>& ids) {
  std::string text;
  for (const int32_t id : ids) text += fmt::format("{}{}", text.empty() ? "" : " ", id);
  return text;
}

std::string whole_text(const TemplateEncoder& encoder, const std::vector<Message>& messages,
                       std::optional<std::string_view> system, const std::string& tools) {
  const Tokenizer& tokenizer = encoder.tokenizer();
  std::string text;
  for (const EncodedTurn& turn : encoder.encode_turns(messages, system, tools)) {
    text += tokenizer.decode(turn.prompt_ids, false) + tokenizer.decode(turn.response_ids, false);
  }
  return text;
}

TEST(SavedTemplateGolden, IsTheTextThatTransformersRendered) {
  for (const Json& item : goldens().at("texts")) {
    const auto encoder = encoder_of(item, golden_tokenizer());
    EXPECT_EQ(jinja_of(*encoder), item.at("jinja").get<std::string>()) << item.at("template") << item.at("options");
    EXPECT_EQ(encoder->eos_id(), golden_tokenizer()->token_to_id(item.at("eos").get<std::string>()));
    EXPECT_EQ(fmt::format("{:016x}", content_hash(jinja_of(*encoder))), item.at("hash").get<std::string>());
  }
  EXPECT_GE(goldens().at("texts").size(), 18U);
}

TEST(SavedTemplateGolden, RendersInTransformersWhatIsTrained) {
  const Json conversations = read_json_file(golden_folder() / "template_goldens.json").at("conversations");
  size_t compared = 0;
  for (const Json& item : goldens().at("cases")) {
    const auto name = item.at("template").get<std::string>();
    SCOPED_TRACE(name + " " + item.at("conversation").get<std::string>() + " " + item.at("options").dump());
    const auto encoder = encoder_of(item, golden_tokenizer());
    const Json& conversation = conversations.at(item.at("conversation").get<std::string>());
    std::optional<std::string> system;
    if (conversation.contains("system")) system = conversation["system"].get<std::string>();
    const std::string tools = conversation.value("tools", "");
    std::vector<Message> messages = messages_of(conversation);
    EXPECT_EQ(whole_text(*encoder, messages, system, tools), item.at("whole").get<std::string>());
    messages.back() = {MessageRole::kAssistant, ""};
    const std::vector<int32_t> prompt_ids = encoder->encode_prompt(messages, system, tools).prompt_ids;
    EXPECT_EQ(golden_tokenizer()->decode(prompt_ids, false), item.at("prompt").get<std::string>());
    // These two put text beside text, which LLaMA-Factory tokenises apart and transformers as one.
    const bool pieces_end_in_tokens = name != "default" && name != "empty";
    if (pieces_end_in_tokens) {
      EXPECT_EQ(joined(prompt_ids), item.at("prompt_ids").get<std::string>());
    }
    ++compared;
  }
  EXPECT_GT(compared, 100U);
}

// What makes published chat templates known: they render every conversation as ours do, tools included.
TEST(SavedTemplateGolden, EqualPublishedTemplatesAreThoseThatRenderTheSame) {
  size_t equal = 0;
  for (const Json& pair : goldens().at("published")) {
    const auto name = pair.at("template").get<std::string>();
    const ChatTemplate ours = find_chat_template(name, template_folders());
    const Json& differing = pair.at("differing");
    const bool renders_the_same = differing.empty();
    const uint64_t hash = std::stoull(pair.at("hash").get<std::string>(), nullptr, 16);
    const bool is_listed = std::ranges::find(ours.equal_jinja, hash) != ours.equal_jinja.end();
    EXPECT_EQ(is_listed, renders_the_same && !ours.replace_jinja_template) << pair;
    equal += is_listed ? 1 : 0;
  }
  EXPECT_EQ(equal, 4U);
}

class SavedTemplateOf : public DataTest {
 protected:
  SavedTemplate saved(const std::string& template_name, const std::string& tokenizer_config) {
    write("model/tokenizer.json", read_file(golden_folder() / "template_tokenizer/tokenizer.json"));
    write("model/tokenizer_config.json", tokenizer_config);
    const Json item = {{"template", template_name}, {"options", Json::object()}};
    return saved_template(*encoder_of(item, Tokenizer::load(folder_ / "model")));
  }
  /// What is logged with the template, for a tokenizer_config.json.
  std::string log_of(const std::string& template_name, const Json& tokenizer_config) {
    ::testing::internal::CaptureStderr();
    saved(template_name, tokenizer_config.dump());
    return ::testing::internal::GetCapturedStderr();
  }
  static std::optional<int32_t> id(const char* token) { return golden_tokenizer()->token_to_id(token); }
};

TEST_F(SavedTemplateOf, ABaseModelGetsEndTokenPadTokenAndTemplate) {
  const SavedTemplate result = saved("chatml", R"({"eos_token": "<|endoftext|>"})");
  EXPECT_EQ(result.special_tokens.at("eos_token"), "<|im_end|>");
  EXPECT_EQ(result.special_tokens.at("pad_token"), "<|im_end|>") << "as LLaMA-Factory: after the end token is replaced";
  EXPECT_EQ(result.eos_id, id("<|im_end|>"));
  EXPECT_EQ(result.pad_id, id("<|im_end|>"));
  EXPECT_THAT(result.chat_template.value_or(""), HasSubstr("<|im_start|>assistant"));
}

TEST_F(SavedTemplateOf, OnlyReplacingTemplatesReplaceATemplate) {
  const char* config = R"({"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "chat_template": "{{ own }}"})";
  for (const char* name : {"qwen", "qwen3", "qwen3_nothink", "llama3", "empty"})
    EXPECT_FALSE(saved(name, config).chat_template) << name;
  for (const char* name : {"chatml", "default"}) EXPECT_TRUE(saved(name, config).chat_template) << name;
  write("model/chat_template.jinja", "{{ own }}");
  EXPECT_FALSE(saved("qwen", R"({"eos_token": "<|endoftext|>"})").chat_template);
}

TEST_F(SavedTemplateOf, TemplatesThatKeepTheEndTokenKeepIt) {
  for (const char* name : {"default", "empty"}) {
    const SavedTemplate result = saved(name, R"({"eos_token": "<|endoftext|>", "pad_token": "<|eom_id|>"})");
    EXPECT_TRUE(result.special_tokens.empty()) << name;
    EXPECT_EQ(result.eos_id, id("<|endoftext|>"));
    EXPECT_EQ(result.pad_id, id("<|eom_id|>"));
  }
  EXPECT_EQ(saved("llama3", R"({"eos_token": "<|endoftext|>"})").special_tokens.at("eos_token"), "<|eot_id|>");
}

TEST_F(SavedTemplateOf, AKeptTemplateThatMayRenderOtherwiseIsWarnedOf) {
  const Json own = {{"eos_token", "<|im_end|>"}, {"chat_template", "{{ own }}"}};
  const std::string log = log_of("qwen", own);
  EXPECT_THAT(log, AllOf(HasSubstr("[WARNING|"), HasSubstr((folder_ / "model/tokenizer_config.json").string() + ": "),
                         HasSubstr("template 'qwen'")));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_EQ(log_of("chatml", own), "") << "it is replaced";
  EXPECT_EQ(log_of("qwen", {{"eos_token", "<|im_end|>"}}), "") << "there is none";
  write("model/chat_template.jinja", "{{ own }}");
  EXPECT_THAT(log_of("qwen", {{"eos_token", "<|im_end|>"}}), HasSubstr("model/chat_template.jinja: "));
}

TEST_F(SavedTemplateOf, AKeptTemplateThatIsTheTrainedOneIsNotWarnedOf) {
  const Json item = {{"template", "qwen"}, {"options", Json::object()}};
  const std::string saved_before = jinja_of(*encoder_of(item, golden_tokenizer()));
  EXPECT_EQ(log_of("qwen", {{"eos_token", "<|im_end|>"}, {"chat_template", saved_before}}), "");
  EXPECT_EQ(log_of("qwen", {{"eos_token", "<|im_end|>"}, {"chat_template", saved_before + "\n"}}), "");
  EXPECT_NE(log_of("qwen3", {{"eos_token", "<|im_end|>"}, {"chat_template", saved_before}}), "");
}

TEST_F(SavedTemplateOf, AKnownTemplateIsTheTrainedOneWithItsOwnSettingsOnly) {
  write("model/tokenizer.json", read_file(golden_folder() / "template_tokenizer/tokenizer.json"));
  write("model/tokenizer_config.json",
        Json({{"eos_token", "<|im_end|>"}, {"chat_template", "{{ published }}"}}).dump());
  const auto tokenizer = Tokenizer::load(folder_ / "model");
  ChatTemplate known = find_chat_template("qwen3", template_folders());
  known.equal_jinja.push_back(content_hash("{{ published }}"));
  const auto log = [&](const ThinkingOptions& thinking, std::optional<std::string> system) {
    ::testing::internal::CaptureStderr();
    saved_template(TemplateEncoder(known, tokenizer, thinking, std::move(system)));
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(log({}, {}), "");
  EXPECT_THAT(log({.enable_thinking = false}, {}), ::testing::HasSubstr("does not say enable_thinking: give the same"));
  EXPECT_THAT(log({.enable_thinking = std::nullopt, .preserve_thinking = true}, "Be kind."),
              ::testing::HasSubstr("does not say default_system, enable_thinking, preserve_thinking: give the same"));
}

TEST_F(SavedTemplateOf, WhatWasDetectedForAFolderIsTheTemplateThatBelongsToIt) {
  write("model/tokenizer.json", read_file(golden_folder() / "template_tokenizer/tokenizer.json"));
  write("model/tokenizer_config.json",
        Json({{"eos_token", "<|im_end|>"}, {"chat_template", "{{ published }}"}}).dump());
  DataSpec spec;
  spec.template_search_path = template_folders();
  spec.template_name = "qwen3";
  spec.enable_thinking = false;
  const auto log = [&] {
    ::testing::internal::CaptureStderr();
    make_template_encoder(spec, Tokenizer::load(folder_ / "model"))->saved_template();
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log(), ::testing::HasSubstr("the template that belongs to this tokenizer"));
  spec.is_own_template = true;
  EXPECT_THAT(log(), ::testing::HasSubstr("does not say enable_thinking: give the same"));
}

TEST_F(SavedTemplateOf, WhatIsSavedSaysItsOwnDefaults) {
  const auto says = [&](const Json& options) {
    TokenizerConfig config;
    config.chat_template = jinja_of(*encoder_of({{"template", "qwen3"}, {"options", options}}, golden_tokenizer()));
    return has_own_default(config, "enable_thinking");
  };
  EXPECT_FALSE(says(Json::object()));
  EXPECT_TRUE(says({{"enable_thinking", false}}));
  EXPECT_TRUE(says({{"enable_thinking", nullptr}}));
}

TEST_F(SavedTemplateOf, TokensThatTheFilesDifferAboutAreSettled) {
  write("model/special_tokens_map.json",
        R"({"eos_token": "<|endoftext|>", "pad_token": {"content": "<|im_start|>"}, "bos_token": "<|im_start|>"})");
  const char* config = R"({"eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "bos_token": "<|im_start|>"})";
  const SavedTemplate trained = saved("chatml", config);
  EXPECT_THAT(trained.special_tokens, ::testing::ElementsAre(::testing::Pair("eos_token", "<|im_end|>"),
                                                             ::testing::Pair("pad_token", "<|im_start|>")));
  EXPECT_EQ(trained.pad_id, id("<|im_start|>"));
  const std::string declared = R"({"eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "added_tokens_decoder": {}})";
  EXPECT_THAT(
      saved("chatml", declared).special_tokens,
      ::testing::ElementsAre(::testing::Pair("eos_token", "<|im_end|>"), ::testing::Pair("pad_token", "<|im_end|>")));
}

}  // namespace
}  // namespace ftrun::testing
