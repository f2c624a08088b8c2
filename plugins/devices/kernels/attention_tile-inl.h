// Packing of attention rows and the masked softmax of a block; per-target code for both directions.
#if defined(FTRUN_KERNELS_ATTENTION_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_ATTENTION_TILE_INL_H_
#undef FTRUN_KERNELS_ATTENTION_TILE_INL_H_
#else
#define FTRUN_KERNELS_ATTENTION_TILE_INL_H_
#endif

#include "plugins/devices/kernels/attention.h"
#include "plugins/devices/kernels/gemm_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// What attention takes for granted of a class.
template <class T>
struct CheckedAttentionTiles {
  static_assert(kMaxHeadDim <= T::kKc && kKeyColumns <= T::kKc && kKeyColumns % T::kNr == 0, "blocks fit packed rows");
  static_assert(kSmallestCacheBlock % T::kNr == 0, "a cache's blocks are whole panels");
  static constexpr bool kAreSound = true;
};

/// Query rows [row 0 = (token first_token, head 0 of the group)] of one block.
struct QueryBlock {
  int64_t segment, group;
  int64_t token_begin;  ///< within the segment
  int64_t token_count;
  int64_t rows;       ///< token_count * G
  int64_t first_row;  ///< row in memory ([T * H, C]) of row 0
};

HWY_INLINE QueryBlock query_block(const AttentionCall& call, int64_t segment, int64_t group, int64_t block) {
  QueryBlock result{};
  result.segment = segment;
  result.group = group;
  result.token_begin = block * call.tokens_per_block;
  result.token_count = HWY_MIN(call.tokens_per_block, call.query_length(segment) - result.token_begin);
  result.rows = result.token_count * call.group_heads();
  result.first_row = (call.query_begin(segment) + result.token_begin) * call.heads + group * call.group_heads();
  return result;
}

/// Row in memory ([T * H, C]) of block row `row`.
HWY_INLINE int64_t memory_row(const AttentionCall& call, const QueryBlock& block, int64_t row) {
  return block.first_row + row / call.group_heads() * call.heads + row % call.group_heads();
}

/// Index into lse [H, T] of block row `row`.
HWY_INLINE int64_t lse_index(const AttentionCall& call, const QueryBlock& block, int64_t row) {
  const int64_t token = call.query_begin(block.segment) + block.token_begin + row / call.group_heads();
  return (block.group * call.group_heads() + row % call.group_heads()) * call.tokens + token;
}

/// Keys that block row `row` sees, counted from the segment's first key.
HWY_INLINE int64_t visible_keys(const AttentionCall& call, const QueryBlock& block, int64_t row) {
  const int64_t n = call.query_length(block.segment), m = call.key_length(block.segment);
  if (!call.causal) return m;
  const int64_t last = block.token_begin + row / call.group_heads() + m - n;
  return HWY_MAX(int64_t{0}, HWY_MIN(m, last + 1));
}

/// Rows of the block, for use as a: out[row * kAStride + c].
template <class T>
HWY_INLINE void pack_query_rows(const AttentionCall& call, const QueryBlock& block, const FloatRows& x, float* out) {
  for (int64_t row = 0; row < block.rows; ++row) {
    widen_span(at(x.data, x.dtype, memory_row(call, block, row) * call.head_dim), x.dtype, call.head_dim,
               out + row * T::kAStride);
  }
}

/// Rows packed by pack_query_rows, for use as b: panels [rows][kNr].
template <class T>
HWY_INLINE void panels_from_rows(const float* packed_rows, int64_t rows, int64_t head_dim, float* out) {
  pack_b<T>({packed_rows, FTRUN_F32, T::kAStride, false}, 0, rows, 0, head_dim, out);
}

/// Keys or values [key, key + count) of one group as a matrix [count, C].
HWY_INLINE Matrix key_matrix(const AttentionCall& call, const FloatRows& x, int64_t group, int64_t key,
                             bool transposed) {
  return {at(x.data, x.dtype, (key * call.groups + group) * call.head_dim), x.dtype, call.groups * call.head_dim,
          transposed};
}

/// Calls part(first, count, row) for the runs of a segment's keys [key, key + columns) that lie end to end: key + first
/// is in memory row `row`. Runs but the last end at multiples of the cache's block.
template <class Part>
HWY_INLINE void for_key_runs(const AttentionCall& call, int64_t segment, int64_t key, int64_t columns,
                             const Part& part) {
  if (call.block_rows == 0) return part(int64_t{0}, columns, call.key_begin(segment) + key);
  for (int64_t first = 0; first < columns; first += call.block_rows) {
    part(first, HWY_MIN(call.block_rows, columns - first), call.cache_row(segment, key + first));
  }
}

/// Keys [key, key + columns) of a segment as panels [head_dim][kNr]. `key` is a multiple of the cache's block.
template <class T>
HWY_INLINE void pack_keys(const AttentionCall& call, const QueryBlock& block, int64_t key, int64_t columns,
                          float* out) {
  for_key_runs(call, block.segment, key, columns, [&](int64_t first, int64_t count, int64_t row) {
    pack_b<T>(key_matrix(call, call.k, block.group, row, true), 0, call.head_dim, 0, count,
              out + first * call.head_dim);
  });
}

/// Values likewise, as panels [columns][kNr].
template <class T>
HWY_INLINE void pack_values(const AttentionCall& call, const QueryBlock& block, int64_t key, int64_t columns,
                            float* out) {
  for_key_runs(call, block.segment, key, columns, [&](int64_t first, int64_t count, int64_t row) {
    pack_b_rows<T>(key_matrix(call, call.v, block.group, row, false), 0, count, 0, call.head_dim, out + first * T::kNr,
                   columns);
  });
}

/// s[0, columns) *= scale, and -infinity from `visible` to the next vector boundary after `columns`.
template <class T>
HWY_INLINE void scale_and_mask(float* s, float scale, int64_t visible, int64_t columns) {
  const Tag<T> d;
  for (int64_t j = 0; j < columns; j += kLanesOf<T>) {
    hn::StoreU(hn::Mul(hn::LoadU(d, s + j), hn::Set(d, scale)), d, s + j);
  }
  for (int64_t j = HWY_MAX(int64_t{0}, visible); j < round_up(columns, kLanesOf<T>); ++j) {
    s[j] = -std::numeric_limits<float>::infinity();
  }
}

HWY_INLINE float exp_scalar(float x) { return hn::GetLane(exp_of(hn::Set(F32(), x))); }

/// The segment of block index `index` (binary search in block_starts).
HWY_INLINE int64_t segment_of_block(const AttentionCall& call, int64_t index) {
  int64_t low = 0, high = call.n_segments;
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (call.block_starts[middle] <= index ? low : high) = middle;
  }
  return low;
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
