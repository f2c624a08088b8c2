// Reading a role's weights for saving: what tensors a file has, and their values in chunks.
// Leaves out: files (core/io/sharded_writer.h).
#pragma once

#include <span>
#include <vector>

#include "core/io/safetensors.h"
#include "core/model/rank.h"

namespace ftrun {

/// Tensors of a saved model in order of declaration, tied ones once under their first name.
std::vector<TensorSpec> saved_tensors(const NetworkModel& model, StoredDtype dtype);

/// Elements [begin, end) of a parameter, converted to `to` and rounded once: the f32 master weights where there are
/// any, else the compute weights. FAILED_PRECONDITION when this rank does not hold the range.
void read_values(Rank& rank, int32_t role, int32_t parameter, int64_t begin, int64_t end, StoredDtype to,
                 std::span<std::byte> out);

/// Calls `write(name, bytes)` on the main rank for consecutive chunks of every parameter, in the order of
/// saved_tensors: made for ShardedModelWriter::write. Other ranks send what they hold; nobody holds more than one
/// chunk. Collective.
void for_each_value_chunk(Rank& rank, int32_t role, StoredDtype dtype,
                          const std::function<void(std::string_view name, std::span<const std::byte> bytes)>& write);

}  // namespace ftrun
