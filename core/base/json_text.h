// JSON text to nlohmann::json with errors that name file, line and column.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

namespace ftrun {

/// Parses one JSON document. Throws INVALID_ARGUMENT "FILE:LINE:COLUMN: not valid JSON: reason" and, unlike the
/// library, refuses duplicate keys in one object when `refuse_duplicate_keys`. `first_line` is the line number of
/// text's first line.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file, bool refuse_duplicate_keys = true,
                          size_t first_line = 1);

/// read_file + parse_json.
nlohmann::json read_json_file(const std::filesystem::path& path);

}  // namespace ftrun
