// Configuration keys given on the command line.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/config/setting.h"

namespace ftrun {

/// `--KEY VALUE`, `--KEY=VALUE`, `--KEY` (true); KEY may be dotted, '-' in it counts as '_'. A value that starts with
/// '{' or '[' is YAML, "null" is no value. Throws INVALID_ARGUMENT for a repeated key and for
/// anything else.
std::vector<Setting> parse_overrides(std::span<const std::string> arguments);

}  // namespace ftrun
