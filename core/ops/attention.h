// Grouped-query attention over segments, without a [T, T] matrix.
#pragma once

#include <memory>
#include <vector>

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// Which queries see which keys: host integers, shared by all layers of a micro-batch. Segment s: query rows
/// [query_offsets[s], query_offsets[s + 1]) attend to key rows [key_begins[s], key_begins[s] + key_lengths[s]).
struct AttentionSegments {
  std::vector<int32_t> query_offsets;  ///< n + 1 entries from 0 to T
  std::vector<int32_t> key_begins;     ///< n entries, or empty: the query segments themselves
  std::vector<int32_t> key_lengths;    ///< n entries, or empty
  int32_t count() const noexcept { return static_cast<int32_t>(query_offsets.size()) - 1; }
};

/// out[T, H, C] of q[T, H, C], k and v[S, K, C]; H a multiple of K. With causal, query i of n sees key j of m iff
/// j <= i + m - n (m >= n is required). Without recording (decoding with a KV cache) nothing is saved. Differentiable.
Tensor attention(ExecutionContext& ctx, const Tensor& q, const Tensor& k, const Tensor& v,
                 std::shared_ptr<const AttentionSegments> segments, double scale, bool causal = true);

}  // namespace ftrun::ops
