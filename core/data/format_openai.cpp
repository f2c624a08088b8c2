// The openai row format: messages with role and content, tool calls, tool answers, content parts.
// Differs from LLaMA-Factory's converter of that name on purpose: it adds no "detailed thinking off" to the system
// text, its default tags are OpenAI's, and tags given by a dataset are laid over the defaults instead of replacing
// them.
#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/data/answer_columns.h"
#include "core/data/call_text.h"
#include "core/data/chat_messages.h"
#include "core/data/message_content.h"
#include "core/data/message_fields.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

const ColumnMap& default_tags() {
  static const ColumnMap tags = {{"role_tag", "role"},        {"content_tag", "content"},
                                 {"user_tag", "user"},        {"assistant_tag", "assistant"},
                                 {"system_tag", "system"},    {"observation_tag", "tool"},
                                 {"function_tag", "function"}};
  return tags;
}

class OpenaiConverter final : public RowConverter {
 public:
  OpenaiConverter(ColumnMap columns, ColumnMap tags, RowKind kind)
      : columns_(std::move(columns)),
        tags_(std::move(tags)),
        kind_(kind),
        known_keys_{tags_.at("role_tag"), tags_.at("content_tag"), "tool_calls"} {}

  AlignedRow convert(const Json& row) const override {
    return align_answers(row, columns_, kind_, [this](const Json& list, std::optional<std::string>& system) {
      return read_messages(list, system);
    });
  }

 private:
  std::vector<Message> read_messages(const Json& list, std::optional<std::string>& system) const {
    std::vector<Message> messages;
    for (size_t i = 0; i < list.size(); ++i) {
      const Json& message = list[i];
      const std::string role = role_of(message, i);
      if (i == 0 && role == tags_.at("system_tag")) {
        MessageContent content = content_of(message, i);
        system = std::move(content.text);
        Message no_answer;
        add_parts(std::move(content), i, no_answer);
        check_system_fields(message, std::span(known_keys_).first(2), i);
        continue;
      }
      messages.push_back(message_of(message, role, i));
    }
    return messages;
  }

  std::string role_of(const Json& message, size_t index) const {
    const std::string& key = tags_.at("role_tag");
    if (!message.is_object() || !message.contains(key) || !message[key].is_string())
      throw RowError(fmt::format("message {} has no '{}'", index + 1, key));
    return message[key].get<std::string>();
  }

  MessageContent content_of(const Json& message, size_t index) const {
    const std::string& key = tags_.at("content_tag");
    const bool has_content = message.contains(key);
    if (!has_content || message[key].is_null()) require_no_other_form(message, known_keys_, index);
    if (!has_content) throw RowError(fmt::format("message {} has no '{}'", index + 1, key));
    return read_content(message[key], key, index);
  }

  Message message_of(const Json& json, const std::string& role, size_t index) const {
    const bool answers = role == tags_.at("assistant_tag") || role == tags_.at("function_tag");
    const auto calls = json.find("tool_calls");
    if (answers && calls != json.end() && !calls->empty()) return calling_message(json, *calls, index);
    if (calls != json.end() && !calls->empty())
      throw RowError(fmt::format("message {}: has 'tool_calls', and only an assistant calls", index + 1));
    if (role != tags_.at("observation_tag")) refuse_former_result(json, role, tags_.at("observation_tag"), index);
    MessageContent content = content_of(json, index);
    // Calls that stand in text or parts are no form of chat templates.
    const bool calls_in_text = role == tags_.at("function_tag") && role != tags_.at("assistant_tag");
    const bool is_as_given = !calls_in_text && content.calls.empty();
    Message message = calls_in_text ? message_with_calls(content.text) : Message{known_role(role, index)};
    if (!calls_in_text) message.content = std::move(content.text);
    add_parts(std::move(content), index, message);
    read_message_fields(json, known_keys_, index, message);
    if (is_as_given) message.given = given_form(json, message);
    return message;
  }

  /// Text beside the calls may be absent.
  Message calling_message(const Json& json, const Json& calls, size_t index) const {
    Message message{MessageRole::kAssistant};
    const auto content = json.find(tags_.at("content_tag"));
    if (content != json.end() && !content->is_null()) {
      MessageContent read = read_content(*content, tags_.at("content_tag"), index);
      message.content = std::move(read.text);
      add_parts(std::move(read), index, message);
    }
    if (!calls.is_array())
      throw RowError(fmt::format("message {}: 'tool_calls' is {}, expected an array", index + 1, json_kind(calls)));
    for (const Json& call : calls) {
      if (!call.is_object() || !call.contains("function"))
        throw RowError(fmt::format("message {}: a tool call has no 'function'", index + 1));
      message.calls.push_back(tool_call_of(call["function"], call));
    }
    read_message_fields(json, known_keys_, index, message);
    message.given = given_form(json, message);
    return message;
  }

  MessageRole known_role(const std::string& role, size_t index) const {
    if (role == tags_.at("user_tag")) return MessageRole::kUser;
    if (role == tags_.at("assistant_tag")) return MessageRole::kAssistant;
    if (role == tags_.at("observation_tag")) return MessageRole::kObservation;
    if (role == tags_.at("system_tag"))
      throw RowError(fmt::format("message {}: '{}' is allowed as the first message only", index + 1, role));
    throw RowError(fmt::format("message {} has the role '{}', expected one of: {}, {}, {}, {}", index + 1, role,
                               tags_.at("system_tag"), tags_.at("user_tag"), tags_.at("assistant_tag"),
                               tags_.at("observation_tag")));
  }

  /// Keys and roles under the names of chat templates, parts joined; the rest as the row has it, but for keys without a
  /// value, which apply_chat_template drops too.
  Json given_form(const Json& json, const Message& message) const {
    Json given = Json::object();
    for (const auto& item : json.items()) {
      const bool has_no_calls = item.key() == "tool_calls" && item.value().empty();
      if (item.value().is_null() || has_no_calls) continue;
      if (item.key() == tags_.at("role_tag")) {
        given["role"] = chat_role(message.role);
      } else if (item.key() == tags_.at("content_tag")) {
        given["content"] = message.content;
      } else {
        given[item.key()] = item.value();
      }
    }
    const bool has_thought =
        given.contains("reasoning_content") || given.contains("thinking") || given.contains("reasoning");
    if (message.thought && !has_thought) given["reasoning_content"] = *message.thought;
    return given;
  }

  ColumnMap columns_;
  ColumnMap tags_;
  RowKind kind_;
  std::array<std::string_view, 3> known_keys_;
};

std::optional<std::pair<ColumnMap, ColumnMap>> detect(const Json& row, RowKind kind) {
  auto columns = detect_message_columns(row, kind, "role", {"messages", "conversations"});
  if (!columns) return std::nullopt;
  return std::pair{std::move(*columns), default_tags()};
}

ColumnMap default_columns(RowKind kind) { return message_default_columns(kind, "messages"); }

std::unique_ptr<RowConverter> bind(const ColumnMap& columns, const ColumnMap& tags, RowKind kind) {
  require_message_columns("openai", columns, kind);
  ColumnMap merged = tags;
  merged.insert(default_tags().begin(), default_tags().end());
  // A role that is given another meaning has it alone.
  const std::string& function = default_tags().at("function_tag");
  const auto is_function = [&](const auto& tag) { return tag.second == function; };
  if (!tags.contains("function_tag") && std::ranges::any_of(tags, is_function)) merged["function_tag"].clear();
  return std::make_unique<OpenaiConverter>(columns, std::move(merged), kind);
}

}  // namespace

RowFormat openai_format() { return {"openai", message_column_keys, default_columns, default_tags(), detect, bind}; }

}  // namespace ftrun
