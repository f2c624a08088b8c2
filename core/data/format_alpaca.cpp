// The alpaca row format: instruction, input, output, and optionally system and history; pairs have chosen and rejected
// instead of output, labelled rows kto_tag beside it; plain text has its text as the prompt.
#include "core/base/error.h"
#include "core/data/row_format.h"

namespace ftrun {
namespace {

using Json = nlohmann::ordered_json;

void append_history(const Json& row, const ColumnMap& columns, std::vector<Message>& messages) {
  const Json* history = mapped_value(row, columns, "history");
  if (history == nullptr) return;
  const std::string& column = columns.at("history");
  if (!history->is_array())
    throw RowError(
        fmt::format("column '{}' is {}, expected an array of [question, answer]", column, json_kind(*history)));
  for (const Json& pair : *history) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
      throw RowError(fmt::format("column '{}': expected pairs of strings [question, answer]", column));
    messages.push_back({MessageRole::kUser, pair[0].get<std::string>()});
    messages.push_back({MessageRole::kAssistant, pair[1].get<std::string>()});
  }
}

class AlpacaConverter final : public RowConverter {
 public:
  AlpacaConverter(ColumnMap columns, RowKind kind) : columns_(std::move(columns)), kind_(kind) {}

  AlignedRow convert(const Json& row) const override {
    if (!row.is_object()) throw RowError(fmt::format("is {}, expected an object", json_kind(row)));
    AlignedRow result;
    if (kind_ == RowKind::kPlain) {
      result.prompt.push_back({MessageRole::kUser, required_text(row, "prompt")});
      return result;
    }
    require_question(row);
    std::string question = mapped_text(row, columns_, "prompt");
    const std::string input = mapped_text(row, columns_, "query");
    if (!question.empty() && !input.empty()) question += '\n';
    question += input;
    append_history(row, columns_, result.prompt);
    result.prompt.push_back({MessageRole::kUser, std::move(question)});
    add_answers(row, result);
    result.system = mapped_system(row, columns_);
    result.tools = mapped_tools(row, columns_);
    return result;
  }

 private:
  std::string required_text(const Json& row, const char* key) const {
    const std::string& column = columns_.at(key);
    if (!row.contains(column)) throw_missing_column(row, column);
    if (row[column].is_string()) return row[column].get<std::string>();
    const Json* question = mapped_value(row, columns_, "prompt");
    const bool is_mixed = row[column].is_structured() && question != nullptr && question->is_string();
    throw RowError(fmt::format(
        "column '{}' is {}, expected a string{}", column, json_kind(row[column]),
        is_mixed ? fmt::format(" as in column '{}', or lists of messages in both", columns_.at("prompt")) : ""));
  }

  void add_answers(const Json& row, AlignedRow& result) const {
    if (kind_ == RowKind::kPairwise) {
      for (const char* key : {"chosen", "rejected"}) {
        result.responses.push_back({MessageRole::kAssistant, required_text(row, key)});
      }
      result.margin = mapped_number(row, columns_, "margin");
      return;
    }
    if (kind_ == RowKind::kPrompt) return add_known_answer(row, result);
    result.responses.push_back({MessageRole::kAssistant, required_text(row, "response")});
    if (kind_ == RowKind::kLabelled) result.desirable = mapped_flag(row, columns_, "kto_tag");
  }

  /// The answer where there is one. One that is labelled bad is nobody's answer.
  void add_known_answer(const Json& row, AlignedRow& result) const {
    for (const char* key : {"chosen", "response"}) {
      if (mapped_value(row, columns_, key) == nullptr) continue;
      result.responses.push_back({MessageRole::kAssistant, required_text(row, key)});
      break;
    }
    const bool is_bad = mapped_value(row, columns_, "kto_tag") != nullptr && !mapped_flag(row, columns_, "kto_tag");
    if (is_bad) result.responses.clear();
  }

  void require_question(const Json& row) const {
    const auto prompt = columns_.find("prompt");
    const auto query = columns_.find("query");
    if (prompt != columns_.end() && row.contains(prompt->second)) return;
    if (query != columns_.end() && row.contains(query->second)) return;
    if (prompt != columns_.end()) throw_missing_column(row, prompt->second);
    if (query != columns_.end()) throw_missing_column(row, query->second);
  }

  ColumnMap columns_;
  RowKind kind_;
};

std::vector<std::string> column_keys(RowKind kind) {
  switch (kind) {
    case RowKind::kPairwise:
      return {"prompt", "query", "chosen", "rejected", "margin", "history", "system", "tools"};
    case RowKind::kLabelled:
      return {"prompt", "query", "response", "kto_tag", "history", "system", "tools"};
    case RowKind::kPrompt:
      return {"prompt", "query", "response", "chosen", "rejected", "margin", "kto_tag", "history", "system", "tools"};
    case RowKind::kPlain:
      return {"prompt"};
    case RowKind::kSupervised:
      break;
  }
  return {"prompt", "query", "response", "history", "system", "tools"};
}

ColumnMap default_columns(RowKind kind) {
  switch (kind) {
    case RowKind::kPairwise:
      return {{"prompt", "instruction"}, {"query", "input"}, {"chosen", "chosen"}, {"rejected", "rejected"}};
    case RowKind::kLabelled:
      return {{"prompt", "instruction"}, {"query", "input"}, {"response", "output"}, {"kto_tag", "kto_tag"}};
    case RowKind::kPrompt:
      return {{"prompt", "instruction"},
              {"query", "input"},
              {"response", "output"},
              {"chosen", "chosen"},
              {"kto_tag", "kto_tag"}};
    case RowKind::kPlain:
      return {{"prompt", "text"}};
    case RowKind::kSupervised:
      break;
  }
  return {{"prompt", "instruction"}, {"query", "input"}, {"response", "output"}};
}

std::optional<std::pair<ColumnMap, ColumnMap>> detect_plain(const Json& row) {
  for (const char* text : {"text", "content", "prompt"}) {
    if (row.contains(text) && row[text].is_string()) return std::pair{ColumnMap{{"prompt", text}}, ColumnMap{}};
  }
  return std::nullopt;
}

std::optional<std::pair<ColumnMap, ColumnMap>> detect(const Json& row, RowKind kind) {
  if (kind == RowKind::kPlain) return detect_plain(row);
  ColumnMap columns = {{"query", "input"}, {"system", "system"}, {"history", "history"}, {"tools", "tools"}};
  for (const char* prompt : {"instruction", "prompt"}) {
    if (row.contains(prompt)) columns.try_emplace("prompt", prompt);
  }
  if (kind == RowKind::kPrompt && !columns.contains("prompt")) {
    if (const auto plain = detect_plain(row)) columns.insert(plain->first.begin(), plain->first.end());
  }
  if (!columns.contains("prompt") || !add_answer_columns(row, kind, columns)) return std::nullopt;
  if (kind == RowKind::kPairwise) return std::pair{columns, ColumnMap{}};
  for (const char* response : {"output", "response", "completion"}) {
    if (row.contains(response)) columns.try_emplace("response", response);
  }
  columns.try_emplace("response", "output");
  return std::pair{columns, ColumnMap{}};
}

std::unique_ptr<RowConverter> bind(const ColumnMap& columns, const ColumnMap&, RowKind kind) {
  if (kind == RowKind::kPlain) {
    require_columns("alpaca", columns, {"prompt"});
    return std::make_unique<AlpacaConverter>(columns, kind);
  }
  if (!columns.contains("prompt") && !columns.contains("query"))
    throw invalid_argument("columns: the alpaca format needs 'prompt' or 'query'");
  if (kind == RowKind::kPairwise) {
    require_columns("alpaca", columns, {"chosen", "rejected"});
  } else if (kind != RowKind::kPrompt) {
    require_columns("alpaca", columns, {"response"});
  }
  if (kind == RowKind::kLabelled) require_columns("alpaca", columns, {"kto_tag"});
  return std::make_unique<AlpacaConverter>(columns, kind);
}

}  // namespace

RowFormat alpaca_format() { return {"alpaca", column_keys, default_columns, {}, detect, bind}; }

}  // namespace ftrun
