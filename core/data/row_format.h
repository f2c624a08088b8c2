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
#include "core/data/row_kind.h"

namespace ftrun {

/// Which column of the row holds what, and which role strings mean what. Keys are those of dataset_info.json: prompt,
/// query, response, history, messages, system, tools, chosen, rejected, kto_tag, and margin; role_tag, content_tag,
/// user_tag, ... An absent key means "not in this dataset".
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
  /// The keys of `columns` that mean something to it for that kind of row; whether `tags` do, default_tags says.
  std::vector<std::string> (*column_keys)(RowKind kind);
  /// Defaults for datasets that give no `columns` / no `tags`.
  ColumnMap (*default_columns)(RowKind kind);
  ColumnMap default_tags;
  /// The columns and tags of a file without a dataset_info entry, from its first row; nullopt: not this format, or not
  /// with rows of this kind.
  std::optional<std::pair<ColumnMap, ColumnMap>> (*detect)(const nlohmann::ordered_json& first_row, RowKind kind);
  /// Throws INVALID_ARGUMENT (message without file) when a column that the format needs for this kind is not mapped.
  std::unique_ptr<RowConverter> (*bind)(const ColumnMap& columns, const ColumnMap& tags, RowKind kind);
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
/// The text of the system column; nullopt where it is null or "", which rows without one have there as well. Throws as
/// mapped_text.
std::optional<std::string> mapped_system(const nlohmann::ordered_json& row, const ColumnMap& columns);
/// A boolean. Throws RowError when it is absent or of another type.
bool mapped_flag(const nlohmann::ordered_json& row, const ColumnMap& columns, std::string_view key);
/// A number, 0 when null. Throws RowError when it is of another type.
double mapped_number(const nlohmann::ordered_json& row, const ColumnMap& columns, std::string_view key);
/// Tool descriptions as JSON text: strings as they are, arrays and objects written out.
std::string mapped_tools(const nlohmann::ordered_json& row, const ColumnMap& columns);
/// Checks the alternation that templates need and splits off the last message as the response. Throws RowError.
AlignedRow align_messages(std::vector<Message> messages, std::optional<std::string> system, std::string tools);
/// As align_messages; where the last message asks, there is no response.
AlignedRow align_prompt(std::vector<Message> messages, std::optional<std::string> system, std::string tools);
/// Throws RowError: the row has no such column; with the nearest of those that it has.
[[noreturn]] void throw_missing_column(const nlohmann::ordered_json& row, const std::string& column);
/// "a string", "a number", "an object", ... for messages.
std::string_view json_kind(const nlohmann::ordered_json& value);
/// Adds the columns of pairs or labels that a row has under their usual names. False when it lacks one that the kind
/// needs.
bool add_answer_columns(const nlohmann::ordered_json& row, RowKind kind, ColumnMap& columns);
/// Throws INVALID_ARGUMENT naming the first of `keys` that is not mapped.
void require_columns(std::string_view format, const ColumnMap& columns, std::initializer_list<const char*> keys);

RowFormat alpaca_format();
RowFormat sharegpt_format();
RowFormat openai_format();

}  // namespace ftrun
