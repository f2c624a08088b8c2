// Plugins of a library file as its ELF notes describe them: read without loading the file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "ftrun/note.h"

namespace ftrun {

/// Contents of one ftrun note.
struct PluginNote {
  uint32_t abi_major = 0;
  uint32_t target_minor = 0;
  uint32_t min_host_minor = 0;
  ftrun_sanitizer sanitizer = 0;
  ftrun_cpu_features cpu_features = 0;
  std::string kind;
  std::string id;
  std::string version;
};

/// Every ftrun note in the bytes of an ELF64 little-endian shared object of this machine. Every offset is checked.
/// Throws INVALID_ARGUMENT "FILE: ..." for a file that is none, a malformed note, or one without any ftrun note.
std::vector<PluginNote> parse_plugin_notes(std::span<const std::byte> bytes, const std::filesystem::path& file);

/// Maps the file and parses it.
std::vector<PluginNote> read_plugin_notes(const std::filesystem::path& file);

}  // namespace ftrun
