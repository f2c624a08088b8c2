// Flash attention, backward: one task per (segment, key-value head); dk and dv are summed in f32 over blocks of query
// rows in order, dq over steps of keys in order. Scratch: 8 bytes x longest segment x head_dim per thread.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/attention_backward.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/attention_tile-inl.h"
#include "plugins/devices/kernels/op_table.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

struct BackwardScratch {
  float *q, *dout, *p, *ds, *dq;                             // rows of a block
  float *q_panels, *dout_panels, *keys, *values, *key_rows;  // packed operands
  float *dk, *dv;                                            // sums of one (segment, group)
  float* delta;
};
HWY_INLINE BackwardScratch carve_backward(const AttentionCall& call, int64_t longest, Carver& carver) {
  const int64_t rows = call.scratch_rows(), dim = round_up(call.head_dim, kNr);
  BackwardScratch s{};
  s.q = carver.take<float>(rows * kAStride + kLanes);
  s.dout = carver.take<float>(rows * kAStride + kLanes);
  s.p = carver.take<float>(rows * kAStride + kLanes);
  s.ds = carver.take<float>(rows * kAStride + kLanes);
  s.dq = carver.take<float>(rows * dim + kLanes);
  s.q_panels = carver.take<float>(rows * dim + kLanes);
  s.dout_panels = carver.take<float>(rows * dim + kLanes);
  s.keys = carver.take<float>(call.head_dim * kKeyColumns + kLanes);
  s.values = carver.take<float>(call.head_dim * kKeyColumns + kLanes);
  s.key_rows = carver.take<float>(kKeyColumns * dim + kLanes);
  s.dk = carver.take<float>(longest * dim + kLanes);
  s.dv = carver.take<float>(longest * dim + kLanes);
  s.delta = carver.take<float>(rows);
  return s;
}

/// delta[row] = sum(dout * out)
HWY_INLINE void row_deltas(const AttentionCall& call, const QueryBlock& block, const BackwardScratch& s) {
  const F32 d;
  float out[kMaxHeadDim + kLanes];
  for (int64_t row = 0; row < block.rows; ++row) {
    widen_span(at(call.out.data, call.out.dtype, memory_row(call, block, row) * call.head_dim), call.out.dtype,
               call.head_dim, out);
    VF sum = hn::Zero(d);
    for (int64_t i = 0; i < call.head_dim; i += kLanes) {
      sum = hn::MulAdd(hn::LoadU(d, s.dout + row * kAStride + i), hn::LoadU(d, out + i), sum);
    }
    s.delta[row] = sum_lanes(sum);
  }
}

/// p = exp(p - lse), ds = p (ds - delta) scale on the visible columns, zeros elsewhere.
HWY_INLINE void probabilities(const AttentionCall& call, const QueryBlock& block, const BackwardScratch& s, int64_t key,
                              int64_t columns) {
  const F32 d;
  for (int64_t row = 0; row < block.rows; ++row) {
    float *p = s.p + row * kAStride, *ds = s.ds + row * kAStride;
    const int64_t visible = HWY_MIN(columns, visible_keys(call, block, row) - key);
    if (visible <= 0) {
      std::memset(p, 0, static_cast<size_t>(columns) * sizeof(float));
      std::memset(ds, 0, static_cast<size_t>(columns) * sizeof(float));
      continue;
    }
    scale_and_mask(p, call.scale, visible, columns);
    const VF lse = hn::Set(d, call.lse[lse_index(call, block, row)]);
    const VF delta = hn::Set(d, s.delta[row]), scale = hn::Set(d, call.scale);
    for (int64_t j = 0; j < columns; j += kLanes) {
      const VF probability = exp_of(hn::Sub(hn::LoadU(d, p + j), lse));
      hn::StoreU(probability, d, p + j);
      hn::StoreU(hn::Mul(hn::Mul(probability, hn::Sub(hn::LoadU(d, ds + j), delta)), scale), d, ds + j);
    }
  }
}

HWY_INLINE void backward_block(const AttentionCall& call, const QueryBlock& block, const BackwardScratch& s) {
  const int64_t dim = round_up(call.head_dim, kNr), key_begin = call.key_begin(block.segment);
  const int64_t keys = visible_keys(call, block, block.rows - 1);
  pack_query_rows(call, block, call.q, s.q);
  pack_query_rows(call, block, call.dout, s.dout);
  panels_from_rows(s.q, block.rows, call.head_dim, s.q_panels);
  panels_from_rows(s.dout, block.rows, call.head_dim, s.dout_panels);
  row_deltas(call, block, s);
  std::memset(s.dq, 0, static_cast<size_t>(block.rows * dim) * sizeof(float));
  for (int64_t key = 0; key < keys; key += kKeyColumns) {
    const int64_t columns = HWY_MIN(kKeyColumns, keys - key);
    const Matrix k = key_matrix(call, call.k, block.group, key_begin + key, true);
    pack_b(k, 0, call.head_dim, 0, columns, s.keys);
    block_product({s.q, true, 1, 0}, block.rows, s.keys, columns, call.head_dim, s.p, kAStride, false, false);
    pack_b(key_matrix(call, call.v, block.group, key_begin + key, true), 0, call.head_dim, 0, columns, s.values);
    block_product({s.dout, true, 1, 0}, block.rows, s.values, columns, call.head_dim, s.ds, kAStride, false, false);
    probabilities(call, block, s, key, columns);
    // dv += p^T dout, dk += ds^T q: a is read k-major straight from the rows.
    block_product({s.p, false, kAStride, kMr}, columns, s.dout_panels, call.head_dim, block.rows, s.dv + key * dim, dim,
                  true, false);
    block_product({s.ds, false, kAStride, kMr}, columns, s.q_panels, call.head_dim, block.rows, s.dk + key * dim, dim,
                  true, false);
    pack_b({k.data, k.dtype, k.row_stride, false}, 0, columns, 0, call.head_dim, s.key_rows);
    block_product({s.ds, true, 1, 0}, block.rows, s.key_rows, call.head_dim, columns, s.dq, dim, true, false);
  }
  for (int64_t row = 0; row < block.rows; ++row) {
    narrow_span(s.dq + row * dim, call.dq.dtype, call.head_dim,
                at(call.dq.data, call.dq.dtype, memory_row(call, block, row) * call.head_dim));
  }
}

HWY_INLINE void backward_group(const AttentionCall& call, int64_t segment, int64_t group, const BackwardScratch& s) {
  const int64_t dim = round_up(call.head_dim, kNr), keys = call.key_length(segment);
  std::memset(s.dk, 0, static_cast<size_t>(keys * dim) * sizeof(float));
  std::memset(s.dv, 0, static_cast<size_t>(keys * dim) * sizeof(float));
  const int64_t blocks = ceil_div(call.query_length(segment), call.tokens_per_block);
  for (int64_t block = 0; block < blocks; ++block) backward_block(call, query_block(call, segment, group, block), s);
  for (int64_t key = 0; key < keys; ++key) {
    const int64_t index = ((call.key_begin(segment) + key) * call.groups + group) * call.head_dim;
    narrow_span(s.dk + key * dim, call.dk.dtype, call.head_dim, at(call.dk.data, call.dk.dtype, index));
    narrow_span(s.dv + key * dim, call.dv.dtype, call.head_dim, at(call.dv.data, call.dv.dtype, index));
  }
}

void attention_backward(Context& ctx, const AttentionCall& call) {
  int64_t longest = 0;
  for (int64_t segment = 0; segment < call.n_segments; ++segment) longest = HWY_MAX(longest, call.key_length(segment));
  Carver measure(nullptr);
  carve_backward(call, longest, measure);
  reserve_thread_scratch(ctx, measure.bytes());
  ctx.parallel.run(call.n_segments * call.groups, [&](int64_t index) {
    Carver carver(ctx.scratch.thread(ctx.parallel.thread_index()));
    const BackwardScratch scratch = carve_backward(call, longest, carver);
    backward_group(call, index / call.groups, index % call.groups, scratch);
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {

HWY_EXPORT(attention_backward);

using namespace reference;

FloatRows rows_like(const ftrun_view& view, const ftrun_view& model, const char* what) {
  require_float(view, what);
  require_contiguous(view, what);
  require_same_shape(view, model, what);
  return {bytes_of(view), view.dtype};
}

/// Each key row has one writer, so key ranges may not overlap.
void require_disjoint_keys(const AttentionCall& call) {
  int64_t end = 0;
  for (int64_t s = 0; s < call.n_segments; ++s) {
    require(call.key_begin(s) >= end, "segment " + std::to_string(s) + ": key ranges must ascend and be disjoint");
    end = call.key_begin(s) + call.key_length(s);
  }
}

}  // namespace

void op_flash_attention_backward(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 6, 6, 3);
  AttentionCall work = attention_call(call, 1);
  require_disjoint_keys(work);
  const ftrun_view &q = call.inputs[1], &k = call.inputs[2], &lse = call.inputs[5];
  work.dout = rows_like(call.inputs[0], q, "dout");
  work.out = rows_like(call.inputs[4], q, "out");
  work.dq = rows_like(call.outputs[0], q, "dq");
  work.dk = rows_like(call.outputs[1], k, "dk");
  work.dv = rows_like(call.outputs[2], k, "dv");
  require_dtype(lse, FTRUN_F32, "lse");
  require_contiguous(lse, "lse");
  require(element_count(lse) == work.heads * work.tokens, "lse must be [H, T], is " + view_text(lse));
  work.lse = elements_of<float>(lse);
  for (const FloatRows* rows : {&work.dk, &work.dv}) {
    std::memset(rows->data, 0, static_cast<size_t>(element_count(k)) * FTRUN_DTYPE_BYTES(rows->dtype));
  }
  HWY_DYNAMIC_DISPATCH(attention_backward)(ctx, work);
}

}  // namespace ftrun::kernels
#endif
