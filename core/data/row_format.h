// The registry of row formats: how one JSON row becomes an AlignedRow. One file per format, one line in row_format.cpp.
// Leaves out: reading files (row_reader.h) and tokens.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/conversation.h"

namespace ftrun {

/// Which column of the row holds what, and which role strings mean what. Keys are those of dataset_info.json: prompt,
/// query, response, history, messages, system, tools; role_tag, content_tag, user_tag, ... An absent key means "not in
/// this dataset".
using ColumnMap = std::map<std::string, std::string, std::less<>>;

/// A format's rules bound to one dataset's columns. Immutable; any thread may call it.
class RowConverter {
 public:
  virtual ~RowConverter() = default;
  /// Throws RowError when the row does not fit.
  virtual AlignedRow convert(const nlohmann::ordered_json& row) const = 0;
};

/// One entry of the registry.
struct RowFormat {
  std::string_view name;
  /// The keys of `columns` that mean something to it; whether `tags` do, default_tags says.
  std::vector<std::string> column_keys;
  /// Defaults for datasets that give no `columns` / no `tags`.
  ColumnMap default_columns;
  ColumnMap default_tags;
  /// The columns and tags of a file without a dataset_info entry, from its first row; nullopt: not this format.
  std::optional<std::pair<ColumnMap, ColumnMap>> (*detect)(const nlohmann::ordered_json& first_row);
  /// Throws INVALID_ARGUMENT (message without file) when a column that the format needs is not mapped.
  std::unique_ptr<RowConverter> (*bind)(const ColumnMap& columns, const ColumnMap& tags);
};

std::span<const RowFormat> row_formats();
/// Throws INVALID_ARGUMENT with the nearest name.
const RowFormat& find_row_format(std::string_view name);

// Shared by the formats.

/// The row's value under the mapped column, or null when unmapped, absent or JSON null.
const nlohmann::ordered_json* mapped_value(const nlohmann::ordered_json& row, const ColumnMap& columns,
                                           std::string_view key);
/// As mapped_value, "" when null. Throws RowError when it is not a string.
std::string mapped_text(const nlohmann::ordered_json& row, const ColumnMap& columns, std::string_view key);
/// Tool descriptions as JSON text: strings as they are, arrays and objects written out.
std::string mapped_tools(const nlohmann::ordered_json& row, const ColumnMap& columns);
/// Checks the alternation that templates need and splits off the last message as the response. Throws RowError.
AlignedRow align_messages(std::vector<Message> messages, std::string system, std::string tools);
/// "a string", "a number", "an object", ... for messages.
std::string_view json_kind(const nlohmann::ordered_json& value);

RowFormat alpaca_format();
RowFormat sharegpt_format();
RowFormat openai_format();

}  // namespace ftrun
