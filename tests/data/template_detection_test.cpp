// A configuration without a template gets the one that belongs to the tokenizer, or is refused.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/data/saved_template.h"
#include "core/data/template_detection.h"
#include "tests/data/data_test_support.h"

namespace ftrun::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Json = nlohmann::json;

class TemplateDetection : public DataTest {
 protected:
  DataSpec spec() const {
    DataSpec spec;
    spec.template_search_path = {std::filesystem::path(FTRUN_SOURCE_DIR) / "configs/templates"};
    return spec;
  }
  std::string detected(const std::string& chat_template) {
    Json config = {{"bos_token", "<|begin_of_text|>"}, {"eos_token", "<|endoftext|>"}};
    if (!chat_template.empty()) config["chat_template"] = chat_template;
    write("model/tokenizer.json", read_file(golden_folder() / "template_tokenizer/tokenizer.json"));
    write("model/tokenizer_config.json", config.dump());
    return template_of_tokenizer(spec(), Tokenizer::load(folder_ / "model"));
  }
  std::string jinja(const std::string& name) {
    DataSpec named = spec();
    named.template_name = name;
    return jinja_of(*make_template_encoder(named, golden_tokenizer()));
  }
};

TEST_F(TemplateDetection, EveryShippedTemplateIsFoundByItsOwnText) {
  int found = 0;
  for (const std::string& name : chat_template_names(spec().template_search_path)) {
    const std::string text = jinja(name);
    if (text.empty()) continue;
    EXPECT_EQ(detected(text), name);
    ++found;
  }
  EXPECT_GE(found, 6);
}

TEST_F(TemplateDetection, PublishedTextsAreFoundByWhatTheyRender) {
  const Json published = read_json_file(golden_folder() / "jinja_templates.json");
  const Json& texts = published.at("templates");
  EXPECT_EQ(detected(texts.at("qwen2_5").get<std::string>()), "qwen");
  EXPECT_EQ(detected(texts.at("qwen3").get<std::string>()), "qwen3");
  // It writes chats as chatml does, and tools besides.
  const Json more = read_json_file(golden_folder() / "rendering.json").at("published");
  EXPECT_EQ(detected(more.at("qwen3_instruct_2507").get<std::string>()), "qwen3_nothink");
  EXPECT_EQ(
      detected("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
               "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"),
      "chatml");
}

TEST_F(TemplateDetection, AVariantThatWritesCallsOrThoughtsOtherwiseIsAnotherTemplate) {
  const std::string qwen3 = read_json_file(golden_folder() / "jinja_templates.json")["templates"]["qwen3"];
  const auto with = [&](std::string_view what, std::string_view instead) {
    std::string text = qwen3;
    const size_t at = text.rfind(what);  // not where the system text tells of it
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), instead);
  };
  EXPECT_EQ(detected(with("<tool_call>", "<CALL>")), "");
  EXPECT_EQ(detected(with("<tool_response>", "<RESPONSE>")), "");
  EXPECT_EQ(detected(with("<think>\\n' + reasoning_content", "<thought>\\n' + reasoning_content")), "");
}

TEST_F(TemplateDetection, WithoutAChatTemplateItIsEmpty) { EXPECT_EQ(detected(""), "empty"); }

TEST_F(TemplateDetection, WhatNoneWritesIsTheChatTemplateItself) {
  const Json foreign = read_json_file(golden_folder() / "foreign_templates.json").at("templates");
  for (const char* name : {"zephyr", "smollm2", "mistral_v0_1", "gemma", "phi3", "granite_3_1", "yi_1_5"})
    EXPECT_EQ(detected(foreign.at(name).get<std::string>()), "") << name;
}

TEST_F(TemplateDetection, WhatCannotBeReadOrLearntIsRefused) {
  EXPECT_THAT([&] { detected("{% for %}"); }, ThrowsMessage<Error>(HasSubstr("line 1 of the template")));
  const auto require = [&](const char* text) {
    detected(text);
    require_learnable_template(spec(), Tokenizer::load(folder_ / "model"));
  };
  // The answer changes how the question is written.
  EXPECT_THAT([&] { require("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("template: it is not set"), HasSubstr("tokenizer_config.json"),
                                         HasSubstr("cannot be told from its prompt"), HasSubstr("chatml"),
                                         HasSubstr("qwen3"))));
  EXPECT_THAT([&] { require("{{ raise_exception('not for you') }}"); }, ThrowsMessage<Error>(HasSubstr("not for you")));
  EXPECT_THAT([&] { require("{% generation %}{% endgeneration %}{% for m in messages %}{{ m.content }}{% endfor %}"); },
              ThrowsMessage<Error>(HasSubstr("marks nothing")));
  require("{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}");
}

}  // namespace
}  // namespace ftrun::testing
