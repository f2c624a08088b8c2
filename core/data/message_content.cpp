// Parts one after the other; a part of another type names itself in the message.
#include "core/data/message_content.h"

#include <fmt/format.h>

#include "core/data/call_text.h"
#include "core/data/message_fields.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

/// Under "text" in OpenAI's parts, under "value" in LLaMA-Factory's.
const Json* text_of_part(const Json& part) {
  for (const char* key : {"text", "value"}) {
    const auto found = part.find(key);
    if (found != part.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

/// What else a part says would be lost. `cache_control` is for those who serve models.
void check_part(const Json& part, const std::string& place) {
  const bool has_both =
      part.contains("text") && part.contains("value") && !part["text"].is_null() && !part["value"].is_null();
  if (has_both && part["text"] != part["value"])
    throw RowError(fmt::format("{} has a part with another 'value' than 'text'", place));
  for (const auto& item : part.items()) {
    const std::string& key = item.key();
    if (key == "type" || key == "text" || key == "value" || key == "cache_control") continue;
    if (is_harmless_field(key, item.value())) continue;
    throw RowError(fmt::format("{} has a part with '{}': its meaning would be lost", place, key));
  }
}

void add_part(const Json& part, const std::string& place, MessageContent& content) {
  const bool has_type = part.is_object() && part.contains("type") && part["type"].is_string();
  const std::string type = has_type ? part["type"].get<std::string>() : "";
  const bool is_call = type == "tool_call" || type == "tool_calls";
  if (type != "text" && type != "reasoning" && !is_call)
    throw RowError(fmt::format("{} has a part that is not of type text{}", place,
                               type.empty() ? "" : fmt::format(" but of type {}", type)));
  const Json* text = text_of_part(part);
  if (text == nullptr) throw RowError(fmt::format("{} has a part of type {} without 'text' or 'value'", place, type));
  check_part(part, place);
  if (is_call) {
    Message message = message_with_calls(text->is_string() ? text->get<std::string>() : text->dump());
    for (ToolCall& call : message.calls) content.calls.push_back(std::move(call));
    return;
  }
  if (!text->is_string())
    throw RowError(
        fmt::format("{} has a part of type {} that is {}, expected a string", place, type, json_kind(*text)));
  if (type == "text") {
    content.text += text->get<std::string>();
  } else {
    content.thought = content.thought.value_or("") + text->get<std::string>();
  }
}

}  // namespace

MessageContent read_content(const Json& content, std::string_view key, size_t index) {
  if (content.is_string()) return {content.get<std::string>(), std::nullopt, {}};
  const std::string place = fmt::format("message {}: '{}'", index + 1, key);
  if (!content.is_array()) throw RowError(fmt::format("{} is {}, expected a string", place, json_kind(content)));
  MessageContent result;
  for (const Json& part : content) add_part(part, place, result);
  return result;
}

void add_parts(MessageContent content, size_t index, Message& message) {
  const bool is_answer = message.is_answer();
  if (!is_answer && (content.thought || !content.calls.empty()))
    throw RowError(fmt::format("message {}: has thoughts or tool calls, and only an assistant has", index + 1));
  if (content.thought) message.thought = std::move(content.thought);
  for (ToolCall& call : content.calls) message.calls.push_back(std::move(call));
}

}  // namespace ftrun
