// Published chat templates, byte for byte what transformers renders from them.
#include <gtest/gtest.h>

#include <map>

#include "tests/jinja/jinja_test_support.h"

namespace ftrun::testing {
namespace {

ChatTemplateInput input_of(const Json& golden, const Json& the_case) {
  ChatTemplateInput input;
  input.messages = golden.at("conversations").at(the_case.at("conversation").get<std::string>());
  if (the_case.at("tools").is_string()) input.tools = golden.at("tools").at(the_case.at("tools").get<std::string>());
  if (the_case.at("documents").get<bool>()) input.documents = golden.at("documents");
  input.add_generation_prompt = the_case.at("prompt").get<bool>();
  input.special_tokens = golden.at("special_tokens");
  input.extra = the_case.at("extra");
  input.now = time_from(golden.at("now"));
  return input;
}

TEST(ChatTemplate, RendersAsTransformersDoes) {
  const Json golden = read_golden("jinja_templates.json");
  std::map<std::string, ChatTemplateRenderer> renderers;
  for (const auto& item : golden.at("templates").items()) {
    const Outcome parsed = outcome_of([&] {
      renderers.emplace(item.key(), ChatTemplateRenderer(item.value().get<std::string>(), item.key()));
      return std::string();
    });
    EXPECT_EQ(parsed.error, "") << item.key();
  }
  size_t rendered = 0, refused = 0;
  for (const Json& the_case : golden.at("cases")) {
    const std::string name = the_case.at("template").get<std::string>();
    if (!renderers.contains(name)) continue;
    const Json label = {name, the_case["conversation"], the_case["tools"], the_case["prompt"], the_case["extra"]};
    const Outcome outcome = outcome_of([&] { return renderers.at(name).render_chat(input_of(golden, the_case)); });
    if (the_case.contains("text")) {
      EXPECT_EQ(outcome.error, "") << label;
      EXPECT_EQ(outcome.text, the_case.at("text").get<std::string>()) << label;
      ++rendered;
    } else {
      const std::string message = the_case.at("error").at(1).get<std::string>();
      EXPECT_NE(outcome.error.find(message), std::string::npos) << label << " " << message << " but " << outcome.error;
      EXPECT_EQ(outcome.error.find(name + ": line "), 0u) << label << outcome.error;
      EXPECT_EQ(outcome.code, FTRUN_INVALID_ARGUMENT) << label;
      ++refused;
    }
  }
  EXPECT_GT(rendered, 150u);
  EXPECT_GT(refused, 5u);
}

// tests/golden/call_text.py: calls as JSON, between marks or behind a thought.
Json message_with_calls(const std::string& text) {
  std::string content, calls_text = text;
  const size_t open = text.find("<tool_call>");
  const size_t thought_end = text.find("</think>");
  if (open != std::string::npos) {
    const size_t begin = open + std::string_view("<tool_call>").size();
    content = text.substr(0, open);
    calls_text = text.substr(begin, text.find("</tool_call>") - begin);
  } else if (thought_end != std::string::npos) {
    const size_t begin = text.find('{', thought_end);
    content = text.substr(0, begin);
    calls_text = text.substr(begin);
  }
  if (content.ends_with('\n')) content.pop_back();
  Json calls = Json::parse(calls_text);
  if (!calls.is_array()) calls = Json::array({calls});
  Json tool_calls = Json::array();
  for (const Json& call : calls) tool_calls.push_back({{"type", "function"}, {"function", call}});
  return {{"role", "assistant"}, {"content", content}, {"tool_calls", tool_calls}};
}

// The messages of tests/golden/chat_templates.py's conversations.
Json messages_of(const Json& conversation) {
  Json messages = Json::array();
  if (conversation.contains("system") && !conversation["system"].get<std::string>().empty())
    messages.push_back({{"role", "system"}, {"content", conversation["system"]}});
  for (const Json& message : conversation.at("messages")) {
    const auto role = message[0].get<std::string>();
    if (role != "function") {
      messages.push_back({{"role", role == "observation" ? "tool" : role}, {"content", message[1]}});
      continue;
    }
    messages.push_back(message_with_calls(message[1].get<std::string>()));
  }
  return messages;
}

// The texts that ftrun saves with a model (configs/templates): what transformers renders from them.
TEST(ChatTemplate, RendersTheTemplatesThatFtrunSaves) {
  const Json golden = read_committed("chat_templates.json");
  const Json conversations = read_committed("template_goldens.json").at("conversations");
  size_t compared = 0;
  for (const Json& text : golden.at("texts")) {
    const ChatTemplateRenderer renderer(text.at("jinja").get<std::string>());
    for (const Json& the_case : golden.at("cases")) {
      if (the_case.at("template") != text.at("template") || the_case.at("options") != text.at("options")) continue;
      const Json& conversation = conversations.at(the_case.at("conversation").get<std::string>());
      ChatTemplateInput input;
      input.messages = messages_of(conversation);
      const auto tools = conversation.value("tools", "");
      if (!tools.empty()) input.tools = Json::parse(tools);
      input.special_tokens = Json{{"bos_token", "<|begin_of_text|>"}, {"eos_token", text.at("eos")}};
      EXPECT_EQ(renderer.render_chat(input), the_case.at("whole").get<std::string>()) << the_case["conversation"];
      input.messages.erase(input.messages.size() - 1);
      input.add_generation_prompt = true;
      EXPECT_EQ(renderer.render_chat(input), the_case.at("prompt").get<std::string>()) << the_case["conversation"];
      ++compared;
    }
  }
  EXPECT_EQ(compared, golden.at("cases").size());
}

TEST(ChatTemplate, IsGivenWhatApplyChatTemplateGives) {
  const ChatTemplateRenderer renderer(
      "{{ tools }}|{{ documents }}|{{ add_generation_prompt }}|{{ bos_token }}|{{ eos_token is defined }}|{{ x }}|"
      "{% for m in messages %}{{ m }}{% endfor %}");
  ChatTemplateInput input;
  input.messages =
      Json::parse(R"([{"role": "user", "content": "a", "reasoning": "r"}, {"role": "b", "thinking": null}])");
  input.special_tokens = Json{{"bos_token", "<s>"}};
  input.extra = Json{{"x", 1}, {"bos_token", "<other>"}};
  EXPECT_EQ(renderer.render_chat(input),
            "None|None|False|<other>|False|1|{'thinking': 'r', 'role': 'user', 'content': 'a', 'reasoning': 'r', "
            "'reasoning_content': 'r'}{'role': 'b', 'thinking': None}");
  input.messages = Json::parse(R"(["text"])");
  EXPECT_THROW(renderer.render_chat(input), Error);
}

TEST(ChatTemplate, ShowsTheLocalDateWithoutAGivenOne) {
  const std::string year = ChatTemplateRenderer("{{ strftime_now('%Y') }}").render(Json::object());
  EXPECT_GE(std::stoi(year), 2024);
}

}  // namespace
}  // namespace ftrun::testing
