// What the forward and backward flash-attention kernels share: the checked call and its split into blocks of query
// rows. Legend: T query tokens, S key tokens, H query heads, K key-value heads, C head_dim, G = H / K heads per group.
#pragma once

#include "plugins/devices/kernels/context.h"

namespace ftrun::kernels {

/// Query rows of a block are (token, head of the group) pairs, token-major, so one packed key block serves all G heads.
constexpr int64_t kQueryRows = 96;
/// Keys per step of the online softmax; steps start at the segment's first key, whatever the queries.
constexpr int64_t kKeyColumns = 128;
/// Fewest rows in a block of a paged cache; blocks are powers of two, up to kKeyColumns.
constexpr int64_t kSmallestCacheBlock = 32;
/// Largest head_dim: one packed row of the GEMM tile.
constexpr int64_t kMaxHeadDim = 256;

struct FloatRows {
  void* data;
  ftrun_dtype dtype;
};

struct AttentionCall {
  FloatRows q, k, v, out;
  float* lse;                  ///< [H, T]; NULL: not wanted
  FloatRows dout, dq, dk, dv;  ///< backward only
  int64_t tokens, keys, heads, groups, head_dim;
  float scale;
  bool causal;
  int64_t n_segments;
  const int32_t *query_offsets, *key_begins, *key_lengths;
  int64_t block_rows;  ///< 0: keys lie end to end; otherwise those of a segment lie in `blocks` of so many rows
  const int32_t *block_offsets, *blocks;
  int64_t tokens_per_block;
  const int64_t* block_starts;  ///< [n_segments + 1]: index of each segment's first block

  int64_t group_heads() const { return heads / groups; }
  int64_t query_begin(int64_t segment) const { return query_offsets[segment]; }
  int64_t query_length(int64_t segment) const { return query_offsets[segment + 1] - query_offsets[segment]; }
  int64_t key_begin(int64_t segment) const { return key_begins ? key_begins[segment] : query_offsets[segment]; }
  int64_t key_length(int64_t segment) const { return key_lengths ? key_lengths[segment] : query_length(segment); }
  /// Rows of scratch a block needs.
  int64_t scratch_rows() const { return tokens_per_block * group_heads(); }
  /// Row in memory of a paged segment's token.
  int64_t cache_row(int64_t segment, int64_t token) const {
    return blocks[block_offsets[segment] + token / block_rows] * block_rows + token % block_rows;
  }
};

/// Checks q, k and v; throws KernelError. Leaves the attributes to be filled in.
AttentionCall attention_operands(const ftrun_view& q, const ftrun_view& k, const ftrun_view& v);
/// Checks q, k, v and the attributes; throws KernelError.
AttentionCall attention_call(const ftrun_op_call& call, int32_t first_input);
/// Fills block_starts (in shared scratch) and returns the number of blocks of all segments.
int64_t split_blocks(Context& ctx, AttentionCall& call);
/// The forward op on a checked call with `out` (and `lse`) set.
void run_attention_forward(Context& ctx, AttentionCall& call);

}  // namespace ftrun::kernels
