// Per segment, head and tile of query rows: scores, softmax, product. The tile sees keys up to its last visible one.
#include "core/ops/attention_composed.h"

#include <algorithm>

#include "core/ops/layout.h"
#include "core/ops/matmul.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

constexpr int64_t kTileRows = 64;
// Large enough to vanish after exp, small enough that sums of it stay finite.
constexpr double kMasked = -1e30;

struct Tile {
  int64_t head;
  int64_t kv_head;
  int64_t query_begin;
  int64_t query_end;
  int64_t key_begin;
  int64_t key_end;
  int64_t row_offset;  // key j of the tile's keys is visible to row i iff j <= i + row_offset
};

template <class Function>
void for_each_tile(const AttentionCall& call, Function&& function) {
  const AttentionSegments& segments = *call.segments;
  const int64_t heads = call.q_THC.dim(1);
  const int64_t group = heads / call.k_SKC.dim(1);
  for (size_t s = 0; s + 1 < segments.query_offsets.size(); ++s) {
    const int64_t first = segments.query_offsets[s];
    const int64_t n = segments.query_offsets[s + 1] - first;
    const int64_t key_first = segments.key_begins.empty() ? first : segments.key_begins[s];
    const int64_t m = segments.key_lengths.empty() ? n : segments.key_lengths[s];
    for (int64_t head = 0; head < heads; ++head) {
      for (int64_t row = 0; row < n; row += kTileRows) {
        const int64_t end = std::min(row + kTileRows, n);
        const int64_t visible = call.causal ? std::min(m, end + m - n) : m;
        function(Tile{head, head / group, first + row, first + end, key_first, key_first + visible, row + m - n});
      }
    }
  }
}

/// Rows [begin, end) of head `head` of x[T, H, C] as a strided [rows, C].
Tensor head_rows(const Tensor& x, int64_t head, int64_t begin, int64_t end) {
  return x.select(1, head).slice(0, begin, end);
}

/// Entries [begin, end) of row `head` of x[H, T] as a column.
Tensor head_column(const Tensor& x, int64_t head, int64_t begin, int64_t end) {
  return x.select(0, head).slice(0, begin, end).reshape({end - begin, 1});
}

Tensor in_dtype(ExecutionContext& ctx, const Tensor& x, ftrun_dtype dtype) {
  return x.dtype() == dtype ? x : primitive::affine(ctx, x, 1.0, 0.0, dtype);
}

Tensor tile_matrix(ExecutionContext& ctx, const Tile& tile) {
  const Shape shape{tile.query_end - tile.query_begin, tile.key_end - tile.key_begin};
  return empty(ctx, FTRUN_F32, shape, FTRUN_MEMORY_WORKSPACE);
}

/// scale q k^T with invisible entries masked.
Tensor tile_scores(ExecutionContext& ctx, const AttentionCall& call, const Tile& tile) {
  const Tensor scores = tile_matrix(ctx, tile);
  matmul_into(ctx, head_rows(call.q_THC, tile.head, tile.query_begin, tile.query_end),
              head_rows(call.k_SKC, tile.kv_head, tile.key_begin, tile.key_end), scores, false, true, false,
              call.scale);
  if (call.causal) {
    auto values = attributes<ftrun_causal_fill_attributes>();
    values.row_offset = tile.row_offset;
    values.value = kMasked;
    execute(ctx, FTRUN_OP_CAUSAL_FILL, {scores}, {scores}, &values);
  }
  return scores;
}

void forward_tile(ExecutionContext& ctx, const AttentionCall& call, const AttentionResult& result, const Tile& tile) {
  const Tensor scores = tile_scores(ctx, call, tile);
  const Tensor maximum = primitive::max_last(ctx, scores);
  execute(ctx, FTRUN_OP_SUB, {scores, primitive::column(maximum)}, {scores});
  execute(ctx, FTRUN_OP_EXP, {scores}, {scores});
  const Tensor sum = primitive::sum_last(ctx, scores);
  execute(ctx, FTRUN_OP_DIV, {scores, primitive::column(sum)}, {scores});
  const Tensor probabilities = in_dtype(ctx, scores, call.v_SKC.dtype());
  matmul_into(ctx, probabilities, head_rows(call.v_SKC, tile.kv_head, tile.key_begin, tile.key_end),
              head_rows(result.out_THC, tile.head, tile.query_begin, tile.query_end), false, false, false);
  const Tensor lse = primitive::add(ctx, maximum, primitive::unary(ctx, FTRUN_OP_LOG, sum));
  copy_into(ctx, lse, result.lse_HT.select(0, tile.head).slice(0, tile.query_begin, tile.query_end));
}

struct BackwardState {
  Tensor dout;
  Tensor delta_HT;  // sum over C of dout * out
  Tensor dq;
  Tensor dk_f32;
  Tensor dv_f32;
};

void backward_tile(ExecutionContext& ctx, const AttentionCall& call, const AttentionResult& result,
                   const BackwardState& state, const Tile& tile) {
  const ftrun_dtype dtype = call.q_THC.dtype();
  const Tensor q = head_rows(call.q_THC, tile.head, tile.query_begin, tile.query_end);
  const Tensor dout = head_rows(state.dout, tile.head, tile.query_begin, tile.query_end);
  const Tensor k = head_rows(call.k_SKC, tile.kv_head, tile.key_begin, tile.key_end);
  const Tensor v = head_rows(call.v_SKC, tile.kv_head, tile.key_begin, tile.key_end);
  const Tensor p = tile_scores(ctx, call, tile);
  execute(ctx, FTRUN_OP_SUB, {p, head_column(result.lse_HT, tile.head, tile.query_begin, tile.query_end)}, {p});
  execute(ctx, FTRUN_OP_EXP, {p}, {p});
  matmul_into(ctx, in_dtype(ctx, p, dtype), dout, head_rows(state.dv_f32, tile.kv_head, tile.key_begin, tile.key_end),
              true, false, true);
  const Tensor ds = tile_matrix(ctx, tile);
  matmul_into(ctx, dout, v, ds, false, true, false);
  execute(ctx, FTRUN_OP_SUB, {ds, head_column(state.delta_HT, tile.head, tile.query_begin, tile.query_end)}, {ds});
  execute(ctx, FTRUN_OP_MUL, {ds, p}, {ds});
  const Tensor ds_rounded = in_dtype(ctx, ds, dtype);
  matmul_into(ctx, ds_rounded, k, head_rows(state.dq, tile.head, tile.query_begin, tile.query_end), false, false, false,
              call.scale);
  matmul_into(ctx, ds_rounded, q, head_rows(state.dk_f32, tile.kv_head, tile.key_begin, tile.key_end), true, false,
              true, call.scale);
}

/// sum over C of dout * out, as [H, T].
Tensor delta_of(ExecutionContext& ctx, const Tensor& dout, const Tensor& out) {
  const Tensor delta_TH = primitive::sum_last(ctx, primitive::mul(ctx, dout, out));
  const int64_t tokens = delta_TH.dim(0);
  const int64_t heads = delta_TH.dim(1);
  const Tensor delta_HT = empty(ctx, FTRUN_F32, {heads, tokens}, FTRUN_MEMORY_WORKSPACE);
  const int64_t strides[] = {1, heads};
  copy_into(ctx, delta_TH.as_strided({heads, tokens}, strides), delta_HT);
  return delta_HT;
}

}  // namespace

AttentionResult attention_composed(ExecutionContext& ctx, const AttentionCall& call) {
  AttentionResult result;
  result.out_THC = empty_like(ctx, call.q_THC, call.q_THC.dtype());
  result.lse_HT = empty(ctx, FTRUN_F32, {call.q_THC.dim(1), call.q_THC.dim(0)});
  for_each_tile(call, [&](const Tile& tile) { forward_tile(ctx, call, result, tile); });
  return result;
}

AttentionGradients attention_backward_composed(ExecutionContext& ctx, const AttentionCall& call,
                                               const AttentionResult& result, const Tensor& dout) {
  BackwardState state;
  state.dout = dout;
  state.delta_HT = delta_of(ctx, dout, result.out_THC);
  state.dq = empty_like(ctx, call.q_THC, call.q_THC.dtype());
  state.dk_f32 = full(ctx, FTRUN_F32, call.k_SKC.shape(), 0.0);
  state.dv_f32 = full(ctx, FTRUN_F32, call.v_SKC.shape(), 0.0);
  for_each_tile(call, [&](const Tile& tile) { backward_tile(ctx, call, result, state, tile); });
  return {state.dq, in_dtype(ctx, state.dk_f32, call.k_SKC.dtype()), in_dtype(ctx, state.dv_f32, call.v_SKC.dtype())};
}

}  // namespace ftrun::ops
