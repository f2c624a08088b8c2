// Reading a role's weights for saving, in chunks.
// Leaves out: files (core/io/sharded_writer.h).
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "core/io/stored_dtype.h"
#include "core/model/rank.h"

namespace ftrun {

/// Elements [begin, end) of a parameter, converted to `to` and rounded once: the f32 master weights where there are
/// any, else the compute weights. FAILED_PRECONDITION when this rank does not hold the range.
void read_values(Rank& rank, int32_t role, int32_t parameter, int64_t begin, int64_t end, StoredDtype to,
                 std::span<std::byte> out);

/// Calls `write(name, bytes)` on the main rank for consecutive chunks of every parameter that `is_wanted`, in order of
/// declaration: made for ShardedModelWriter::write. Other ranks send what they hold; nobody holds more than one chunk.
/// Collective.
void for_each_value_chunk(Rank& rank, int32_t role, StoredDtype dtype,
                          const std::function<bool(const ModelParameter& parameter)>& is_wanted,
                          const std::function<void(std::string_view name, std::span<const std::byte> bytes)>& write);

}  // namespace ftrun
