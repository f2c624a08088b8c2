// Loading a plugin library: checks first, then dlopen, then its descriptors.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/plugin/plugin.h"

namespace ftrun {

/// Loads `file` (absolute path) after require_safe_plugin_file and require_loadable for each of its plugins, with all
/// symbols bound at once and none exported to others. The library is never unloaded. Throws as those do, and
/// INVALID_ARGUMENT with the system's reason when the file cannot be loaded or lacks the query function.
/// [control-thread]
std::vector<std::unique_ptr<Plugin>> load_plugin_library(const std::filesystem::path& file);

}  // namespace ftrun
