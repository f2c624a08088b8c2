// A file of reference log-probabilities in the data cache: two numbers per row of both splits.
// Leaves out: whether they are still those of the model (reference_logps.cpp asks it about some rows).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ftrun::preference {

/// By split; [2 x rows] each.
using ReferenceTable = std::array<std::vector<double>, 2>;

/// The table that `file` holds for `key` with as many rows; nothing when there is none or it is damaged.
std::optional<ReferenceTable> read_reference_file(const std::filesystem::path& file, uint64_t key,
                                                  std::array<int64_t, 2> rows);

/// Writes it under another name and renames it, so that no reader sees a part. Returns why it could not, or "".
std::string write_reference_file(const std::filesystem::path& file, uint64_t key, const ReferenceTable& table);

/// FNV-1a, 64 bits; `seed` chains calls.
uint64_t hash_bytes(const void* data, size_t bytes, uint64_t seed = 0xcbf29ce484222325u) noexcept;

}  // namespace ftrun::preference
