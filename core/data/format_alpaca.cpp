// The alpaca row format: instruction, input, output, and optionally system and history.
#include "core/base/error.h"
#include "core/base/nearest_name.h"
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

[[noreturn]] void throw_missing(const Json& row, const std::string& column) {
  std::vector<std::string> present;
  for (const auto& item : row.items()) present.push_back(item.key());
  throw RowError(fmt::format("has no column '{}'{}; columns: {}", column, did_you_mean(column, present),
                             fmt::to_string(fmt::join(present, ", "))));
}

class AlpacaConverter final : public RowConverter {
 public:
  explicit AlpacaConverter(ColumnMap columns) : columns_(std::move(columns)) {}

  AlignedRow convert(const Json& row) const override {
    if (!row.is_object()) throw RowError(fmt::format("is {}, expected an object", json_kind(row)));
    require_question(row);
    std::string question = mapped_text(row, columns_, "prompt");
    const std::string input = mapped_text(row, columns_, "query");
    if (!question.empty() && !input.empty()) question += '\n';
    question += input;

    const std::string& response = columns_.at("response");
    if (!row.contains(response)) throw_missing(row, response);
    if (!row[response].is_string())
      throw RowError(fmt::format("column '{}' is {}, expected a string", response, json_kind(row[response])));

    AlignedRow result;
    append_history(row, columns_, result.prompt);
    result.prompt.push_back({MessageRole::kUser, std::move(question)});
    result.responses.push_back({MessageRole::kAssistant, row[response].get<std::string>()});
    result.system = mapped_text(row, columns_, "system");
    result.tools = mapped_tools(row, columns_);
    return result;
  }

 private:
  void require_question(const Json& row) const {
    const auto prompt = columns_.find("prompt");
    const auto query = columns_.find("query");
    if (prompt != columns_.end() && row.contains(prompt->second)) return;
    if (query != columns_.end() && row.contains(query->second)) return;
    if (prompt != columns_.end()) throw_missing(row, prompt->second);
    if (query != columns_.end()) throw_missing(row, query->second);
  }

  ColumnMap columns_;
};

std::optional<std::pair<ColumnMap, ColumnMap>> detect(const Json& row) {
  ColumnMap columns = {{"query", "input"}, {"system", "system"}, {"history", "history"}, {"tools", "tools"}};
  for (const char* prompt : {"instruction", "prompt"}) {
    if (row.contains(prompt)) columns.try_emplace("prompt", prompt);
  }
  for (const char* response : {"output", "response", "completion"}) {
    if (row.contains(response)) columns.try_emplace("response", response);
  }
  if (!columns.contains("prompt")) return std::nullopt;
  columns.try_emplace("response", "output");
  return std::pair{columns, ColumnMap{}};
}

std::unique_ptr<RowConverter> bind(const ColumnMap& columns, const ColumnMap&) {
  if (!columns.contains("prompt") && !columns.contains("query"))
    throw invalid_argument("columns: the alpaca format needs 'prompt' or 'query'");
  if (!columns.contains("response")) throw invalid_argument("columns: the alpaca format needs 'response'");
  return std::make_unique<AlpacaConverter>(columns);
}

}  // namespace

RowFormat alpaca_format() {
  return {"alpaca",
          {"prompt", "query", "response", "history", "system", "tools"},
          {{"prompt", "instruction"}, {"query", "input"}, {"response", "output"}},
          {},
          detect,
          bind};
}

}  // namespace ftrun
