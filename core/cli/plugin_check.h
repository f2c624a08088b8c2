// `ftrun plugins check FILE`: what a plugin's author wants to know before shipping.
#pragma once

#include <filesystem>

namespace ftrun {

/// Prints one line per check (or a JSON object) and returns 0 when all pass, 2 otherwise. Static checks come first; the
/// file is loaded only when they pass. Throws NOT_FOUND when there is no such file.
int check_plugin_file(const std::filesystem::path& file, bool json);

}  // namespace ftrun
