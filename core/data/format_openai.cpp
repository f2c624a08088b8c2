// The openai row format: messages with role and content, tool calls, tool answers, content parts of type text.
// Differs from LLaMA-Factory's converter of that name on purpose: it adds no "detailed thinking off" to the system
// text, its default tags are OpenAI's, and tags given by a dataset are laid over the defaults instead of replacing
// them.
#include "core/base/error.h"
#include "core/data/answer_columns.h"
#include "core/data/python_json.h"
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
      : columns_(std::move(columns)), tags_(std::move(tags)), kind_(kind) {}

  AlignedRow convert(const Json& row) const override {
    return align_answers(row, columns_, kind_,
                         [this](const Json& list, std::string& system) { return read_messages(list, system); });
  }

 private:
  std::vector<Message> read_messages(const Json& list, std::string& system) const {
    std::vector<Message> messages;
    bool after_tool_answer = false;
    for (size_t i = 0; i < list.size(); ++i) {
      const Json& message = list[i];
      const std::string role = role_of(message, i);
      if (i == 0 && role == tags_.at("system_tag")) {
        system = content_of(message, i);
        continue;
      }
      const bool is_tool_answer = role == tags_.at("observation_tag");
      if (is_tool_answer && after_tool_answer) {
        messages.back().content.append(kToolAnswerSeparator).append(content_of(message, i));
        continue;
      }
      after_tool_answer = is_tool_answer;
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

  std::string content_of(const Json& message, size_t index) const {
    const std::string& key = tags_.at("content_tag");
    if (!message.contains(key)) throw RowError(fmt::format("message {} has no '{}'", index + 1, key));
    const Json& content = message[key];
    if (content.is_string()) return content.get<std::string>();
    if (!content.is_array())
      throw RowError(fmt::format("message {}: '{}' is {}, expected a string", index + 1, key, json_kind(content)));
    std::string text;
    for (const Json& part : content) {
      const bool is_text = part.is_object() && part.contains("type") && part["type"] == "text";
      if (!is_text || !part.contains("text") || !part["text"].is_string())
        throw RowError(fmt::format("message {}: '{}' has a part that is not of type text", index + 1, key));
      text += part["text"].get<std::string>();
    }
    return text;
  }

  Message message_of(const Json& message, const std::string& role, size_t index) const {
    const bool answers = role == tags_.at("assistant_tag") || role == tags_.at("function_tag");
    if (answers && message.contains("tool_calls") && !message["tool_calls"].empty())
      return {MessageRole::kFunction, calls_of(message["tool_calls"], index)};
    if (role == tags_.at("user_tag")) return {MessageRole::kUser, content_of(message, index)};
    if (role == tags_.at("assistant_tag")) return {MessageRole::kAssistant, content_of(message, index)};
    if (role == tags_.at("function_tag")) return {MessageRole::kFunction, content_of(message, index)};
    if (role == tags_.at("observation_tag")) return {MessageRole::kObservation, content_of(message, index)};
    if (role == tags_.at("system_tag"))
      throw RowError(fmt::format("message {}: '{}' is allowed as the first message only", index + 1, role));
    throw RowError(fmt::format("message {} has the role '{}', expected one of: {}, {}, {}, {}", index + 1, role,
                               tags_.at("system_tag"), tags_.at("user_tag"), tags_.at("assistant_tag"),
                               tags_.at("observation_tag")));
  }

  static std::string calls_of(const Json& tool_calls, size_t index) {
    Json calls = Json::array();
    for (const Json& call : tool_calls) {
      if (!call.is_object() || !call.contains("function"))
        throw RowError(fmt::format("message {}: a tool call has no 'function'", index + 1));
      calls.push_back(call["function"]);
    }
    return python_json(calls);
  }

  ColumnMap columns_;
  ColumnMap tags_;
  RowKind kind_;
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
  return std::make_unique<OpenaiConverter>(columns, std::move(merged), kind);
}

}  // namespace

RowFormat openai_format() { return {"openai", message_column_keys, default_columns, default_tags(), detect, bind}; }

}  // namespace ftrun
