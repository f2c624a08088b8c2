// A YAML configuration file as settings with file and line.
// Leaves out: which keys exist and what they mean (resolve.h).
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/setting.h"

namespace ftrun {

/// Parses YAML text whose top level is a map. Anchors, aliases and merge keys (`<<`) are resolved. Throws
/// INVALID_ARGUMENT "FILE:LINE:COLUMN: ..." for malformed YAML, a top level that is no map, keys that are no scalars,
/// several documents, and for a duplicate key naming both lines.
std::vector<Setting> parse_config_text(std::string_view text, const std::filesystem::path& file);

/// read_file + parse_config_text. NOT_FOUND when the file does not exist.
std::vector<Setting> read_config_file(const std::filesystem::path& file);

/// One YAML value from the command line (`{name: x}`, `[a, b]`, a scalar), with `origin` on everything in it.
SettingValue parse_config_value(std::string_view text, const std::string& origin);

/// File (may be empty: none) and command line (see overrides.h) together.
ConfigSources read_config(const std::filesystem::path& file, std::span<const std::string> override_arguments);

}  // namespace ftrun
