// JSON text to nlohmann::json with errors that name file, line and column. Every file of the host that is JSON as a
// whole comes through here; rows of data have their own places (data/row_reader.h).
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "ftrun/cpp/json_syntax.hpp"

namespace ftrun {

using sdk::JsonKeys;

/// Throws INVALID_ARGUMENT "FILE:LINE:COLUMN: not valid JSON: reason" unless `text` is one JSON value as
/// sdk::find_json_fault wants it. `first_line` is the line number of text's first line.
void require_json(std::string_view text, const std::filesystem::path& file, JsonKeys keys = JsonKeys::kUnique,
                  size_t first_line = 1);

/// require_json, and the value.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file, JsonKeys keys = JsonKeys::kUnique,
                          size_t first_line = 1);

/// The value of a text that may be JSON (a call's arguments, a column of tools), keys in their order; nothing where it
/// is none.
std::optional<nlohmann::ordered_json> json_in_text(std::string_view text);

/// read_file + parse_json.
nlohmann::json read_json_file(const std::filesystem::path& path);

}  // namespace ftrun
