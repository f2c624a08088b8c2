// Flash attention, backward: one task per (segment, key-value head); dk and dv are summed in f32 over blocks of query
// rows in order, dq over steps of keys in order. Scratch: 8 bytes x longest segment x head_dim per thread.
#if defined(FTRUN_KERNELS_ATTENTION_BACKWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_ATTENTION_BACKWARD_INL_H_
#undef FTRUN_KERNELS_ATTENTION_BACKWARD_INL_H_
#else
#define FTRUN_KERNELS_ATTENTION_BACKWARD_INL_H_
#endif

#include "plugins/devices/kernels/attention_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

struct BackwardScratch {
  float *q, *dout, *p, *ds, *dq;                             // rows of a block
  float *q_panels, *dout_panels, *keys, *values, *key_rows;  // packed operands
  float *dk, *dv;                                            // sums of one (segment, group)
  float* delta;
};
template <class T>
HWY_INLINE BackwardScratch carve_backward(const AttentionCall& call, int64_t longest, Carver& carver) {
  const int64_t rows = call.scratch_rows(), dim = round_up(call.head_dim, T::kNr);
  BackwardScratch s{};
  s.q = carver.take<float>(rows * T::kAStride + kLanes);
  s.dout = carver.take<float>(rows * T::kAStride + kLanes);
  s.p = carver.take<float>(rows * T::kAStride + kLanes);
  s.ds = carver.take<float>(rows * T::kAStride + kLanes);
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
template <class T>
HWY_INLINE void row_deltas(const AttentionCall& call, const QueryBlock& block, const BackwardScratch& s) {
  const Tag<T> d;
  float out[kMaxHeadDim + kLanesOf<T>];
  for (int64_t row = 0; row < block.rows; ++row) {
    widen_span(d, at(call.out.data, call.out.dtype, memory_row(call, block, row) * call.head_dim), call.out.dtype,
               call.head_dim, out);
    Vec<T> sum = hn::Zero(d);
    for (int64_t i = 0; i < call.head_dim; i += kLanesOf<T>) {
      sum = hn::MulAdd(hn::LoadU(d, s.dout + row * T::kAStride + i), hn::LoadU(d, out + i), sum);
    }
    s.delta[row] = sum_lanes(sum);
  }
}

/// p = exp(p - lse), ds = p (ds - delta) scale on the visible columns, zeros elsewhere.
template <class T>
HWY_INLINE void probabilities(const AttentionCall& call, const QueryBlock& block, const BackwardScratch& s, int64_t key,
                              int64_t columns) {
  const Tag<T> d;
  for (int64_t row = 0; row < block.rows; ++row) {
    float *p = s.p + row * T::kAStride, *ds = s.ds + row * T::kAStride;
    const int64_t visible = HWY_MIN(columns, visible_keys(call, block, row) - key);
    if (visible <= 0) {
      std::memset(p, 0, static_cast<size_t>(columns) * sizeof(float));
      std::memset(ds, 0, static_cast<size_t>(columns) * sizeof(float));
      continue;
    }
    scale_and_mask<T>(p, call.scale, visible, columns);
    const Vec<T> lse = hn::Set(d, call.lse[lse_index(call, block, row)]);
    const Vec<T> delta = hn::Set(d, s.delta[row]), scale = hn::Set(d, call.scale);
    for (int64_t j = 0; j < columns; j += kLanesOf<T>) {
      const Vec<T> probability = exp_of(hn::Sub(hn::LoadU(d, p + j), lse));
      hn::StoreU(probability, d, p + j);
      hn::StoreU(hn::Mul(hn::Mul(probability, hn::Sub(hn::LoadU(d, ds + j), delta)), scale), d, ds + j);
    }
  }
}

template <class T>
HWY_INLINE void backward_block(const AttentionCall& call, const QueryBlock& block, const BackwardScratch& s) {
  const int64_t dim = round_up(call.head_dim, T::kNr), key_begin = call.key_begin(block.segment);
  const int64_t keys = visible_keys(call, block, block.rows - 1);
  pack_query_rows<T>(call, block, call.q, s.q);
  pack_query_rows<T>(call, block, call.dout, s.dout);
  panels_from_rows<T>(s.q, block.rows, call.head_dim, s.q_panels);
  panels_from_rows<T>(s.dout, block.rows, call.head_dim, s.dout_panels);
  row_deltas<T>(call, block, s);
  std::memset(s.dq, 0, static_cast<size_t>(block.rows * dim) * sizeof(float));
  for (int64_t key = 0; key < keys; key += kKeyColumns) {
    const int64_t columns = HWY_MIN(kKeyColumns, keys - key);
    const Matrix k = key_matrix(call, call.k, block.group, key_begin + key, true);
    pack_b<T>(k, 0, call.head_dim, 0, columns, s.keys);
    block_product<T>({s.q, true, 1, 0}, block.rows, s.keys, columns, call.head_dim, s.p, T::kAStride, false, false);
    pack_b<T>(key_matrix(call, call.v, block.group, key_begin + key, true), 0, call.head_dim, 0, columns, s.values);
    block_product<T>({s.dout, true, 1, 0}, block.rows, s.values, columns, call.head_dim, s.ds, T::kAStride, false,
                     false);
    probabilities<T>(call, block, s, key, columns);
    // dv += p^T dout, dk += ds^T q: a is read k-major straight from the rows.
    block_product<T>({s.p, false, T::kAStride, T::kMr}, columns, s.dout_panels, call.head_dim, block.rows,
                     s.dv + key * dim, dim, true, false);
    block_product<T>({s.ds, false, T::kAStride, T::kMr}, columns, s.q_panels, call.head_dim, block.rows,
                     s.dk + key * dim, dim, true, false);
    pack_b<T>({k.data, k.dtype, k.row_stride, false}, 0, columns, 0, call.head_dim, s.key_rows);
    block_product<T>({s.ds, true, 1, 0}, block.rows, s.key_rows, call.head_dim, columns, s.dq, dim, true, false);
  }
  for (int64_t row = 0; row < block.rows; ++row) {
    narrow_span(s.dq + row * dim, call.dq.dtype, call.head_dim,
                at(call.dq.data, call.dq.dtype, memory_row(call, block, row) * call.head_dim));
  }
}

template <class T>
HWY_INLINE void backward_group(const AttentionCall& call, int64_t segment, int64_t group, const BackwardScratch& s) {
  const int64_t dim = round_up(call.head_dim, T::kNr), keys = call.key_length(segment);
  std::memset(s.dk, 0, static_cast<size_t>(keys * dim) * sizeof(float));
  std::memset(s.dv, 0, static_cast<size_t>(keys * dim) * sizeof(float));
  const int64_t blocks = ceil_div(call.query_length(segment), call.tokens_per_block);
  for (int64_t block = 0; block < blocks; ++block) backward_block<T>(call, query_block(call, segment, group, block), s);
  for (int64_t key = 0; key < keys; ++key) {
    const int64_t index = ((call.key_begin(segment) + key) * call.groups + group) * call.head_dim;
    narrow_span(s.dk + key * dim, call.dk.dtype, call.head_dim, at(call.dk.data, call.dk.dtype, index));
    narrow_span(s.dv + key * dim, call.dv.dtype, call.head_dim, at(call.dv.data, call.dv.dtype, index));
  }
}

/// The op by the tiles of T.
template <class T>
void attention_backward_with(Context& ctx, const AttentionCall& call) {
  static_assert(CheckedAttentionTiles<T>::kAreSound);
  int64_t longest = 0;
  for (int64_t segment = 0; segment < call.n_segments; ++segment) longest = HWY_MAX(longest, call.key_length(segment));
  Carver measure(nullptr);
  carve_backward<T>(call, longest, measure);
  reserve_thread_scratch(ctx, measure.bytes());
  ctx.parallel.run(call.n_segments * call.groups, [&](int64_t index) {
    Carver carver(ctx.scratch.thread(ctx.parallel.thread_index()));
    const BackwardScratch scratch = carve_backward<T>(call, longest, carver);
    backward_group<T>(call, index / call.groups, index % call.groups, scratch);
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
