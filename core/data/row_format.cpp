// The list of row formats and the checks they share. A new format: one file and one line here.
#include "core/data/row_format.h"

#include <array>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/data/python_json.h"

namespace ftrun {

std::span<const RowFormat> row_formats() {
  static const std::array formats = {openai_format(), sharegpt_format(), alpaca_format()};
  return formats;
}

const RowFormat& find_row_format(std::string_view name) {
  std::vector<std::string> known;
  for (const RowFormat& format : row_formats()) {
    if (format.name == name) return format;
    known.emplace_back(format.name);
  }
  throw invalid_argument("formatting '{}' is not known{}; formats: {}", name, did_you_mean(name, known),
                         fmt::to_string(fmt::join(known, ", ")));
}

std::string_view json_kind(const nlohmann::ordered_json& value) {
  if (value.is_null()) return "null";
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "a boolean";
  if (value.is_number()) return "a number";
  return value.is_array() ? "an array" : "an object";
}

const nlohmann::ordered_json* mapped_value(const nlohmann::ordered_json& row, const ColumnMap& columns,
                                           std::string_view key) {
  const auto column = columns.find(key);
  if (column == columns.end()) return nullptr;
  const auto value = row.find(column->second);
  return value == row.end() || value->is_null() ? nullptr : &*value;
}

std::string mapped_text(const nlohmann::ordered_json& row, const ColumnMap& columns, std::string_view key) {
  const nlohmann::ordered_json* value = mapped_value(row, columns, key);
  if (value == nullptr) return {};
  if (!value->is_string())
    throw RowError(fmt::format("column '{}' is {}, expected a string", columns.find(key)->second, json_kind(*value)));
  return value->get<std::string>();
}

std::optional<std::string> mapped_system(const nlohmann::ordered_json& row, const ColumnMap& columns) {
  std::string text = mapped_text(row, columns, "system");
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

bool mapped_flag(const nlohmann::ordered_json& row, const ColumnMap& columns, std::string_view key) {
  const std::string& column = columns.find(key)->second;
  const nlohmann::ordered_json* value = mapped_value(row, columns, key);
  if (value == nullptr) throw_missing_column(row, column);
  if (!value->is_boolean())
    throw RowError(fmt::format("column '{}' is {}, expected true or false", column, json_kind(*value)));
  return value->get<bool>();
}

double mapped_number(const nlohmann::ordered_json& row, const ColumnMap& columns, std::string_view key) {
  const nlohmann::ordered_json* value = mapped_value(row, columns, key);
  if (value == nullptr) return 0;
  if (!value->is_number())
    throw RowError(fmt::format("column '{}' is {}, expected a number", columns.find(key)->second, json_kind(*value)));
  return value->get<double>();
}

void throw_missing_column(const nlohmann::ordered_json& row, const std::string& column) {
  std::vector<std::string> present;
  for (const auto& item : row.items()) present.push_back(item.key());
  throw RowError(fmt::format("has no column '{}'{}; columns: {}", column, did_you_mean(column, present),
                             fmt::to_string(fmt::join(present, ", "))));
}

bool add_answer_columns(const nlohmann::ordered_json& row, RowKind kind, ColumnMap& columns) {
  if (kind == RowKind::kPairwise) {
    columns.try_emplace("margin", "margin");  // rows may lack it
    for (const char* name : {"chosen", "rejected"}) {
      if (row.contains(name)) columns.try_emplace(name, name);
    }
    return columns.contains("chosen") && columns.contains("rejected");
  }
  if (kind == RowKind::kPrompt) {
    for (const char* name : {"chosen", "kto_tag"}) {
      if (row.contains(name)) columns.try_emplace(name, name);
    }
    // A label that is no boolean is somebody's text.
    if (row.contains("label") && row["label"].is_boolean()) columns.try_emplace("kto_tag", "label");
    return true;
  }
  if (kind != RowKind::kLabelled) return true;
  for (const char* name : {"kto_tag", "label"}) {
    if (row.contains(name)) columns.try_emplace("kto_tag", name);
  }
  return columns.contains("kto_tag");
}

void require_columns(std::string_view format, const ColumnMap& columns, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!columns.contains(key)) throw invalid_argument("columns: the {} format needs '{}' here", format, key);
  }
}

std::string mapped_tools(const nlohmann::ordered_json& row, const ColumnMap& columns) {
  const nlohmann::ordered_json* value = mapped_value(row, columns, "tools");
  if (value == nullptr) return {};
  return value->is_structured() ? python_json(*value) : mapped_text(row, columns, "tools");
}

namespace {

/// Observations may follow each other: tools that were called together.
void require_alternation(const std::vector<Message>& messages) {
  if (messages.empty()) throw RowError("has no messages");
  bool expects_answer = false;
  for (size_t i = 0; i < messages.size(); ++i) {
    const MessageRole role = messages[i].role;
    const bool goes_on = i > 0 && role == MessageRole::kObservation && messages[i - 1].role == role;
    if (goes_on) continue;
    if (messages[i].is_answer() != expects_answer)
      throw RowError(fmt::format("message {} is of role {}, expected {} (turns alternate)", i + 1, role_name(role),
                                 expects_answer ? "assistant or function" : "user or observation"));
    expects_answer = !expects_answer;
  }
}

}  // namespace

AlignedRow align_messages(std::vector<Message> messages, std::optional<std::string> system, std::string tools) {
  require_alternation(messages);
  if (!messages.back().is_answer())
    throw RowError(fmt::format("ends with a message of role {}, expected an answer as the last message",
                               role_name(messages.back().role)));
  return align_prompt(std::move(messages), std::move(system), std::move(tools));
}

AlignedRow align_prompt(std::vector<Message> messages, std::optional<std::string> system, std::string tools) {
  require_alternation(messages);
  AlignedRow row;
  if (messages.back().is_answer()) {
    row.responses.push_back(std::move(messages.back()));
    messages.pop_back();
  }
  row.prompt = std::move(messages);
  row.system = std::move(system);
  row.tools = std::move(tools);
  return row;
}

}  // namespace ftrun
