// Attention of decoding: keys and values live in a cache of blocks.
// Leaves out: who owns the blocks (core/generate/kv_cache.h).
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// Where the sequences of a forward lie in a cache: host integers, shared by all layers. Query rows [query_offsets[s],
/// query_offsets[s + 1]) are the last tokens of sequence s, which has key_lengths[s] with them. Its token j is in cache
/// row blocks[block_offsets[s] + j / block_rows] * block_rows + j % block_rows.
struct PagedSegments {
  int32_t block_rows = 0;              ///< 32, 64 or 128
  std::vector<int32_t> query_offsets;  ///< n + 1 entries from 0 to T
  std::vector<int32_t> key_lengths;    ///< n entries
  std::vector<int32_t> block_offsets;  ///< n + 1 entries
  std::vector<int32_t> blocks;
  int32_t count() const noexcept { return static_cast<int32_t>(query_offsets.size()) - 1; }
};

/// Writes k and v [T, K, C] into the cache's keys and values [R, K, C], then out[T, H, C] of q[T, H, C]: causal
/// grouped-query attention over each sequence, with the bits of `attention` over the same keys end to end. No gradient.
Tensor paged_attention(ExecutionContext& ctx, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& keys,
                       const Tensor& values, const PagedSegments& segments, double scale);

}  // namespace ftrun::ops
