// Free disk space, asked before anything large is written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ftrun {

/// Bytes that this user may still write on the file system of `folder` (or of its nearest existing parent).
/// Throws DATA_LOSS when the system does not answer.
uint64_t available_disk_bytes(const std::filesystem::path& folder);

/// Throws RESOURCE_EXHAUSTED "FOLDER: WHAT needs N bytes (x GB), M bytes (y GB) are available" when it does not fit.
void require_disk_space(const std::filesystem::path& folder, uint64_t needed_bytes, std::string_view what);

/// "1.50 GB", decimal units as in max_shard_size.
std::string bytes_text(uint64_t bytes);

}  // namespace ftrun
