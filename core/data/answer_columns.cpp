// Where answers stand for each kind of row.
#include "core/data/answer_columns.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

bool same_message(const Message& a, const Message& b) { return a.says_the_same(b); }

std::vector<Message> read_column(const Json& row, const ColumnMap& columns, const char* key,
                                 const MessageListReader& read, std::optional<std::string>& system) {
  const std::string& column = columns.find(key)->second;
  const Json* value = mapped_value(row, columns, key);
  if (value == nullptr) throw_missing_column(row, column);
  if (value->is_string()) return {{MessageRole::kAssistant, value->get<std::string>()}};
  if (!value->is_array() && !value->is_object())
    throw RowError(
        fmt::format("column '{}' is {}, expected a message or an array of messages", column, json_kind(*value)));
  std::vector<Message> messages = read(value->is_object() ? Json::array({*value}) : *value, system);
  if (messages.empty()) throw RowError(fmt::format("column '{}' has no message", column));
  return messages;
}

/// Answers alone answer messages in a column of their own. `column` has the conversation.
void require_question(const Json& row, const std::vector<Message>& prompt, const std::vector<Message>& conversation,
                      const std::string& column) {
  if (!prompt.empty() || !conversation.front().is_answer()) return;
  for (const char* name : {"prompt", "instruction", "question"}) {
    const auto value = row.find(name);
    if (value == row.end() || !value->is_string()) continue;
    throw RowError(
        fmt::format("column '{0}' is a string and '{1}' a list of messages that begins with an answer: "
                    "expected lists of messages in both, strings in both, or the question as the first "
                    "message of '{1}'",
                    name, column));
  }
  throw RowError(
      fmt::format("column '{0}' begins with an answer, and nothing says what was asked: expected the "
                  "question as its first message, or a list of messages in a column 'prompt'",
                  column));
}

/// What stands before the answer belongs to the prompt.
void extend_prompt(std::vector<Message>& prompt, const std::vector<Message>& conversation) {
  const auto shared = conversation.end() - 1;
  // A dataset may write the prompt in a column of its own and at the head of both answers, and the chosen conversation
  // in a column of its own too.
  const bool repeats = conversation.size() >= prompt.size() &&
                       std::equal(prompt.begin(), prompt.end(), conversation.begin(), same_message);
  if (repeats) prompt.clear();
  prompt.insert(prompt.end(), conversation.begin(), shared);
}

/// Moves what both conversations begin with to the prompt.
void take_shared_prompt(std::vector<Message>& prompt, std::vector<Message>& chosen, std::vector<Message>& rejected) {
  if (chosen.size() != rejected.size() ||
      !std::equal(chosen.begin(), chosen.end() - 1, rejected.begin(), rejected.end() - 1, same_message))
    throw RowError("chosen and rejected differ in more than their last message");
  extend_prompt(prompt, chosen);
}

/// The prompt of a row of any kind. An answer that is labelled bad is nobody's answer.
AlignedRow align_question(const Json& row, const ColumnMap& columns, std::vector<Message> messages,
                          std::optional<std::string> system, const MessageListReader& read) {
  if (mapped_value(row, columns, "chosen") != nullptr) {
    std::vector<Message> chosen = read_column(row, columns, "chosen", read, system);
    require_question(row, messages, chosen, columns.find("chosen")->second);
    extend_prompt(messages, chosen);
    messages.push_back(std::move(chosen.back()));
  } else if (mapped_value(row, columns, "response") != nullptr) {
    for (Message& message : read_column(row, columns, "response", read, system)) messages.push_back(std::move(message));
  }
  AlignedRow result = align_prompt(std::move(messages), std::move(system), mapped_tools(row, columns));
  const bool is_bad = mapped_value(row, columns, "kto_tag") != nullptr && !mapped_flag(row, columns, "kto_tag");
  if (is_bad) result.responses.clear();
  return result;
}

AlignedRow align_pair(const Json& row, const ColumnMap& columns, std::vector<Message> prompt,
                      std::optional<std::string> system, const MessageListReader& read) {
  std::vector<Message> chosen = read_column(row, columns, "chosen", read, system);
  std::vector<Message> rejected = read_column(row, columns, "rejected", read, system);
  require_question(row, prompt, chosen, columns.find("chosen")->second);
  take_shared_prompt(prompt, chosen, rejected);
  prompt.push_back(std::move(chosen.back()));
  AlignedRow result = align_messages(std::move(prompt), std::move(system), mapped_tools(row, columns));
  const Message& other = rejected.back();
  if (!other.is_answer())
    throw RowError(fmt::format("column '{}' ends with a message of role {}, expected an answer",
                               columns.find("rejected")->second, role_name(other.role)));
  result.responses.push_back(std::move(rejected.back()));
  result.margin = mapped_number(row, columns, "margin");
  return result;
}

const Json* message_list(const Json& row, const ColumnMap& columns, RowKind kind) {
  const auto column = columns.find("messages");
  if (column == columns.end()) return nullptr;
  const Json* list = mapped_value(row, columns, "messages");
  const bool is_elsewhere = kind == RowKind::kPrompt && mapped_value(row, columns, "chosen") != nullptr;
  if (list == nullptr && is_elsewhere) return nullptr;
  if (list == nullptr) throw RowError(fmt::format("has no column '{}'", column->second));
  if (!list->is_array())
    throw RowError(fmt::format("column '{}' is {}, expected an array of messages", column->second, json_kind(*list)));
  return list;
}

bool is_message_list(const Json& row, const char* name, const char* role_key) {
  const auto value = row.find(name);
  if (value == row.end()) return false;
  if (value->is_object()) return value->contains(role_key);
  return value->is_array() && !value->empty() && value->front().is_object() && value->front().contains(role_key);
}

}  // namespace

AlignedRow align_answers(const Json& row, const ColumnMap& columns, RowKind kind, const MessageListReader& read) {
  if (!row.is_object()) throw RowError(fmt::format("is {}, expected an object", json_kind(row)));
  std::optional<std::string> system = mapped_system(row, columns);
  const Json* list = message_list(row, columns, kind);
  std::vector<Message> messages;
  if (list != nullptr) messages = read(*list, system);
  if (kind == RowKind::kPrompt) return align_question(row, columns, std::move(messages), std::move(system), read);
  if (kind == RowKind::kPairwise) return align_pair(row, columns, std::move(messages), std::move(system), read);
  if (columns.contains("response")) {
    for (Message& message : read_column(row, columns, "response", read, system)) messages.push_back(std::move(message));
  }
  AlignedRow result = align_messages(std::move(messages), std::move(system), mapped_tools(row, columns));
  if (kind == RowKind::kLabelled) result.desirable = mapped_flag(row, columns, "kto_tag");
  return result;
}

std::vector<std::string> message_column_keys(RowKind kind) {
  switch (kind) {
    case RowKind::kPairwise:
      return {"messages", "chosen", "rejected", "margin", "system", "tools"};
    case RowKind::kLabelled:
      return {"messages", "response", "kto_tag", "system", "tools"};
    case RowKind::kPrompt:
      return {"messages", "chosen", "rejected", "margin", "response", "kto_tag", "system", "tools"};
    case RowKind::kPlain:
      return {};
    case RowKind::kSupervised:
      break;
  }
  return {"messages", "system", "tools"};
}

ColumnMap message_default_columns(RowKind kind, const char* messages) {
  ColumnMap columns = {{"messages", messages}};
  if (kind == RowKind::kPairwise) columns.insert({{"chosen", "chosen"}, {"rejected", "rejected"}});
  if (kind == RowKind::kLabelled) columns.insert({"kto_tag", "kto_tag"});
  if (kind == RowKind::kPrompt) columns.insert({{"chosen", "chosen"}, {"kto_tag", "kto_tag"}});
  return columns;
}

void require_message_columns(std::string_view format, const ColumnMap& columns, RowKind kind) {
  if (kind == RowKind::kPlain)
    throw invalid_argument(
        "the {} format is for conversations, and this stage learns from plain text: use alpaca with "
        "columns.prompt",
        format);
  if (kind == RowKind::kPrompt && columns.contains("chosen")) return;
  if (kind == RowKind::kPairwise) return require_columns(format, columns, {"chosen", "rejected"});
  require_columns(format, columns, {"messages"});
  if (kind == RowKind::kLabelled) require_columns(format, columns, {"kto_tag"});
}

std::optional<ColumnMap> detect_message_columns(const Json& row, RowKind kind, const char* role_key,
                                                std::initializer_list<const char*> names) {
  if (kind == RowKind::kPlain) return std::nullopt;
  ColumnMap columns = {{"system", "system"}, {"tools", "tools"}};
  for (const char* name : names) {
    if (is_message_list(row, name, role_key)) columns.try_emplace("messages", name);
  }
  const bool answers = kind != RowKind::kSupervised;
  if (answers && is_message_list(row, "prompt", role_key)) columns.try_emplace("messages", "prompt");
  const bool completes = kind == RowKind::kLabelled || kind == RowKind::kPrompt;
  if (completes && is_message_list(row, "completion", role_key)) columns["response"] = "completion";
  // Beside a prompt of messages an answer may be text, as chosen and rejected may.
  const auto messages = columns.find("messages");
  const bool asks_in_prompt = messages != columns.end() && messages->second == "prompt";
  if (completes && asks_in_prompt && row.contains("completion") && row["completion"].is_string())
    columns["response"] = "completion";
  const bool compares = kind == RowKind::kPairwise || kind == RowKind::kPrompt;
  // LLaMA-Factory v1's names.
  for (const auto& [key, name] : {std::pair{"chosen", "chosen_messages"}, std::pair{"rejected", "rejected_messages"}}) {
    if (compares && is_message_list(row, name, role_key)) columns.try_emplace(key, name);
  }
  const bool implicit = columns.contains("chosen") || (compares && is_message_list(row, "chosen", role_key));
  if (!columns.contains("messages") && !implicit) return std::nullopt;
  if (!add_answer_columns(row, kind, columns)) return std::nullopt;
  return columns;
}

}  // namespace ftrun
