// The answers of a row in the message formats: the last message, or a chosen and a rejected column.
// Leaves out: how a format writes one message (format_openai.cpp, format_sharegpt.cpp).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/data/row_format.h"

namespace ftrun {

/// Reads a list of messages; a leading system message goes to `system`. Throws RowError.
using MessageListReader =
    std::function<std::vector<Message>(const nlohmann::ordered_json& list, std::optional<std::string>& system)>;

/// The row of `kind` whose messages `read` understands. A pair's chosen and rejected columns are a message, a list of
/// messages or a string; lists may repeat the whole conversation, of which both then share all but the last message
/// (TRL's implicit prompt). Throws RowError.
AlignedRow align_answers(const nlohmann::ordered_json& row, const ColumnMap& columns, RowKind kind,
                         const MessageListReader& read);

/// column_keys, default_columns and what bind requires, for the formats with a list of messages.
std::vector<std::string> message_column_keys(RowKind kind);
ColumnMap message_default_columns(RowKind kind, const char* messages);
void require_message_columns(std::string_view format, const ColumnMap& columns, RowKind kind);

/// The columns of a first row whose lists of messages have `role_key` in them, or nullopt.
std::optional<ColumnMap> detect_message_columns(const nlohmann::ordered_json& row, RowKind kind, const char* role_key,
                                                std::initializer_list<const char*> names);

}  // namespace ftrun
