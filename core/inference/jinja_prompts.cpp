// Messages to the JSON that chat templates are written for.
#include "core/inference/jinja_prompts.h"

#include <algorithm>
#include <utility>

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

/// {"name", "arguments"} objects, one or several, as text.
Json tool_calls(const std::string& text) {
  Json calls = Json::parse(text, nullptr, false);
  if (calls.is_object()) calls = Json::array({calls});
  if (!calls.is_array() || calls.empty()) throw RowError("a tool call is not JSON: expected {\"name\", \"arguments\"}");
  Json result = Json::array();
  for (const Json& call : calls) {
    if (!call.is_object() || !call.contains("name") || !call.contains("arguments"))
      throw RowError("a tool call needs the keys name and arguments");
    result.push_back({{"type", "function"}, {"function", {{"name", call["name"]}, {"arguments", call["arguments"]}}}});
  }
  return result;
}

/// One message for each tool that answered.
void add_tool_answers(const std::string& text, Json& messages) {
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(kToolAnswerSeparator, begin), text.size());
    messages.push_back({{"role", "tool"}, {"content", text.substr(begin, end - begin)}});
    begin = end == text.size() ? end + 1 : end + kToolAnswerSeparator.size();
  }
}

void add_message(const Message& message, Json& messages) {
  switch (message.role) {
    case MessageRole::kUser:
      messages.push_back({{"role", "user"}, {"content", message.content}});
      return;
    case MessageRole::kAssistant:
      messages.push_back({{"role", "assistant"}, {"content", message.content}});
      return;
    case MessageRole::kObservation:
      return add_tool_answers(message.content, messages);
    case MessageRole::kFunction:
      messages.push_back({{"role", "assistant"}, {"content", ""}, {"tool_calls", tool_calls(message.content)}});
  }
}

Json tools_json(const std::string& text) {
  if (text.empty()) return nullptr;
  Json tools = Json::parse(text, nullptr, false);
  if (!tools.is_array()) throw RowError("tools: expected a JSON array of tool descriptions");
  if (tools.empty()) return nullptr;
  return tools;
}

Json special_tokens_of(const TokenizerConfig& config) {
  using Named = std::pair<const char*, const std::optional<SpecialToken>*>;
  Json tokens = Json::object();
  for (const auto& [name, token] : {Named{"bos_token", &config.bos}, Named{"eos_token", &config.eos},
                                    Named{"pad_token", &config.pad}, Named{"unk_token", &config.unk}}) {
    if (*token) tokens[name] = (*token)->text;
  }
  return tokens;
}

}  // namespace

JinjaPrompts::JinjaPrompts(std::shared_ptr<const Tokenizer> tokenizer, const std::string& chat_template,
                           std::string file, std::string default_system, std::optional<bool> enable_thinking)
    : tokenizer_(std::move(tokenizer)),
      file_(std::move(file)),
      renderer_(chat_template, file_),
      default_system_(std::move(default_system)),
      special_tokens_(special_tokens_of(tokenizer_->config())) {
  if (enable_thinking) extra_ = {{"enable_thinking", *enable_thinking}};
}

std::vector<int32_t> JinjaPrompts::write(const std::vector<Message>& messages, const std::string& system,
                                         const std::string& tools) const {
  ChatTemplateInput input;
  input.messages = Json::array();
  const std::string& system_text = system.empty() ? default_system_ : system;
  if (!system_text.empty()) input.messages.push_back({{"role", "system"}, {"content", system_text}});
  for (const Message& message : messages) add_message(message, input.messages);
  input.tools = tools_json(tools);
  input.add_generation_prompt = true;
  input.special_tokens = special_tokens_;
  input.extra = extra_;
  // Special tokens stand in the text already, a leading bos too.
  return tokenizer_->encode(renderer_.render_chat(input));
}

}  // namespace ftrun
