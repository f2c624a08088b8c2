// A folder named in a file that lies beside an adapter: its base model, adapters beneath it. Relative paths are from a
// working folder that the reader does not know. Leaves out: what is done where none is found (the callers' errors).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ftrun {

/// Where `path`, written in a file of `beside`, may lie: `path` itself where it is absolute; else from the working
/// folder, from `beside` and from the folder that holds `beside`. Absolute, normal, each once, whether or not there.
std::vector<std::filesystem::path> places_of_noted_folder(const std::string& path, const std::filesystem::path& beside);

/// The places that have a regular file of that name, each folder once, whatever ways lead to it.
std::vector<std::filesystem::path> folders_with(const std::vector<std::filesystem::path>& places,
                                                const std::string& file_name);

/// As it is noted for readers in other working folders: absolute, without following links. Empty stays empty.
std::string path_to_note(const std::string& path);

}  // namespace ftrun
