// Messages to the JSON that chat templates are written for.
#include "core/data/chat_messages.h"

#include "core/base/json_text.h"
#include "core/data/tokenizer/tokenizer.h"
#include "core/data/written_answer.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

Json call_json(const ToolCall& call) {
  if (!call.given.is_null()) return call.given;
  return {{"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json message_json(const Message& message) {
  if (!message.given.is_null()) return message.given;
  Json json = {{"role", chat_role(message.role)}, {"content", message.content}};
  if (message.thought) json["reasoning_content"] = *message.thought;
  for (const ToolCall& call : message.calls) json["tool_calls"].push_back(call_json(call));
  return json;
}

}  // namespace

std::string_view chat_role(MessageRole role) noexcept {
  if (role == MessageRole::kObservation) return "tool";
  return role == MessageRole::kUser ? "user" : "assistant";
}

Json chat_messages(std::span<const Message> messages, std::optional<std::string_view> system) {
  Json result = Json::array();
  if (system) result.push_back({{"role", "system"}, {"content", *system}});
  for (const Message& message : messages) result.push_back(message_json(message));
  return result;
}

Json chat_tools(std::string_view tools) {
  if (tools.empty()) return nullptr;
  Json parsed = json_in_text(tools).value_or(nullptr);
  if (!parsed.is_array()) throw RowError("tools: expected a JSON array of tool descriptions");
  if (parsed.empty()) return nullptr;
  for (Json& tool : parsed) {
    if (!tool.is_object()) throw RowError("tools: expected an array of objects");
    const bool wrapped = tool.contains("type") && tool["type"] == "function";
    if (!wrapped) tool = Json{{"type", "function"}, {"function", std::move(tool)}};
  }
  return parsed;
}

Json chat_special_tokens(const TokenizerConfig& config) {
  using Named = std::pair<const char*, const std::optional<SpecialToken>*>;
  Json tokens = Json::object();
  for (const auto& [name, token] : {Named{"bos_token", &config.bos}, Named{"eos_token", &config.eos},
                                    Named{"pad_token", &config.pad}, Named{"unk_token", &config.unk}}) {
    if (*token) tokens[name] = (*token)->text;
  }
  return tokens;
}

Json chat_variables(const ThinkingOptions& thinking) {
  Json variables = Json::object();
  if (thinking.enable_thinking) variables["enable_thinking"] = *thinking.enable_thinking;
  if (thinking.preserve_thinking) variables["preserve_thinking"] = true;
  return variables;
}

}  // namespace ftrun
