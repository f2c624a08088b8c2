// How many blocks a KV cache gets: what its sequences can come to, and no more than the device has room for.
// Leaves out: who holds which block (kv_cache.h).
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/rank.h"

namespace ftrun {

/// Bytes that a block holds over all layers: keys and values of kCacheBlockRows tokens in the rank's compute dtype.
uint64_t cache_block_bytes(Rank& rank, int32_t role);

/// Blocks for up to `max_sequences` at a time of sequences that may come to `tokens[i]` tokens each (0: none). Fewer
/// where the device's free memory holds fewer; then sequences wait for each other. Throws RESOURCE_EXHAUSTED naming
/// both sizes when the longest alone does not fit.
int32_t cache_blocks(Rank& rank, int32_t role, const std::vector<int64_t>& tokens, int32_t max_sequences);

}  // namespace ftrun
