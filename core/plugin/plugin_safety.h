// What must hold before a plugin file is loaded.
#pragma once

#include <filesystem>

#include "core/plugin/plugin_note.h"

namespace ftrun {

/// Requires a regular file, owned by root or this user, that nobody else may write, in a folder of which the same
/// holds. Throws PERMISSION_DENIED (NOT_FOUND when absent) naming path, what is wrong and the command that fixes it.
void require_safe_plugin_file(const std::filesystem::path& file);

/// Requires this host's ABI major, a minor it offers, its sanitizer, and the CPU's features. Throws INVALID_ARGUMENT
/// naming file, plugin, and both sides.
void require_loadable(const PluginNote& note, const std::filesystem::path& file);

}  // namespace ftrun
