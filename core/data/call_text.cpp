// Forms after LLaMA-Factory 0.9.5's FunctionFormatter; the thought may also stand without line breaks around it.
#include "core/data/call_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/json_text.h"
#include "core/data/message_fields.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kCallOpen = "<tool_call>", kCallClose = "</tool_call>", kThoughtClose = "</think>";
constexpr std::string_view kSpace = " \t\r\n";

void add_calls(std::string_view text, std::vector<ToolCall>& calls) {
  Json parsed = json_in_text(text).value_or(nullptr);
  if (parsed.is_object()) parsed = Json::array({std::move(parsed)});
  if (!parsed.is_array() || parsed.empty())
    throw RowError(
        "a tool call is not JSON: expected {\"name\", \"arguments\"} or an array of them, bare, after a thought "
        "<think>...</think>, or inside <tool_call>...</tool_call>");
  for (const Json& call : parsed) calls.push_back(tool_call_of(call, nullptr));
}

std::string_view without_line_break(std::string_view text) {
  return text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
}

/// Where the JSON begins: at once, or behind a thought.
size_t begin_of_bare_calls(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos || text[first] == '{' || text[first] == '[') return 0;
  const size_t thought = text.find(kThoughtClose);
  if (thought == std::string_view::npos) return 0;
  return std::min(text.find_first_not_of(kSpace, thought + kThoughtClose.size()), text.size());
}

}  // namespace

ToolCall tool_call_of(const Json& function, Json given) {
  if (!function.is_object() || !function.contains("name") || !function.contains("arguments"))
    throw RowError("a tool call needs the keys name and arguments");
  if (!function["name"].is_string()) throw RowError("a tool call has a name that is not a string");
  for (const auto& item : function.items()) {
    const std::string& key = item.key();
    if (key == "name" || key == "arguments" || key == "type" || key == "index" || key == "call_id") continue;
    if (is_harmless_field(key, item.value())) continue;
    throw RowError(fmt::format("a tool call has '{}' beside name and arguments: its meaning would be lost", key));
  }
  return {function["name"].get<std::string>(), function["arguments"], std::move(given)};
}

Message message_with_calls(std::string_view text) {
  Message message{MessageRole::kAssistant};
  const size_t open = text.find(kCallOpen);
  if (open == std::string_view::npos) {
    const size_t begin = begin_of_bare_calls(text);
    message.content = without_line_break(text.substr(0, begin));
    add_calls(text.substr(begin), message.calls);
    return message;
  }
  message.content = without_line_break(text.substr(0, open));
  for (size_t at = open; at != std::string_view::npos;) {
    const size_t begin = at + kCallOpen.size();
    const size_t close = text.find(kCallClose, begin);
    if (close == std::string_view::npos) throw RowError("a tool call has <tool_call> without </tool_call>");
    add_calls(text.substr(begin, close - begin), message.calls);
    const size_t end = close + kCallClose.size();
    at = text.find(kCallOpen, end);
    const std::string_view between = text.substr(end, at == std::string_view::npos ? at : at - end);
    if (between.find_first_not_of(kSpace) != std::string_view::npos)
      throw RowError("has text after a tool call, where templates write none");
  }
  return message;
}

}  // namespace ftrun
