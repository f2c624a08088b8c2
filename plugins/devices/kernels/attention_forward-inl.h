// Flash attention, forward: one task per (block of query rows, key-value head), online softmax over steps of 128 keys.
// A row's result depends on its own query and keys only: masked columns add exact zeros.
#if defined(FTRUN_KERNELS_ATTENTION_FORWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_ATTENTION_FORWARD_INL_H_
#undef FTRUN_KERNELS_ATTENTION_FORWARD_INL_H_
#else
#define FTRUN_KERNELS_ATTENTION_FORWARD_INL_H_
#endif

#include "plugins/devices/kernels/attention_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

struct ForwardScratch {
  float *q, *s, *o, *keys, *values, *maximum, *sum;
};
template <class T>
HWY_INLINE ForwardScratch carve_forward(const AttentionCall& call, Carver& carver) {
  const int64_t rows = call.scratch_rows(), dim = round_up(call.head_dim, T::kNr);
  ForwardScratch scratch{};
  scratch.q = carver.take<float>(rows * T::kAStride + kLanes);
  scratch.s = carver.take<float>(rows * T::kAStride + kLanes);
  scratch.o = carver.take<float>(rows * dim + kLanes);
  scratch.keys = carver.take<float>(call.head_dim * kKeyColumns + kLanes);
  scratch.values = carver.take<float>(kKeyColumns * dim + kLanes);
  scratch.maximum = carver.take<float>(rows);
  scratch.sum = carver.take<float>(rows);
  return scratch;
}

/// One row's step of the online softmax: s becomes exp(s - maximum), o and sum are rescaled.
template <class T>
HWY_INLINE void softmax_step(float* s, int64_t columns, float* o, int64_t dim, float& maximum, float& sum, bool first) {
  const Tag<T> d;
  Vec<T> step_max = hn::Set(d, maximum);
  for (int64_t j = 0; j < columns; j += kLanesOf<T>) step_max = max_of(step_max, hn::LoadU(d, s + j));
  const float new_max = max_lanes(step_max);
  const Vec<T> shift = hn::Set(d, new_max);
  Vec<T> partial = hn::Zero(d);
  for (int64_t j = 0; j < columns; j += kLanesOf<T>) {
    const Vec<T> p = exp_of(hn::Sub(hn::LoadU(d, s + j), shift));
    hn::StoreU(p, d, s + j);
    partial = hn::Add(partial, p);
  }
  if (first) {
    sum = sum_lanes(partial);
  } else {
    const float correction = exp_scalar(maximum - new_max);
    sum = sum * correction + sum_lanes(partial);
    if (correction < 1.0f || correction != correction) {
      const Vec<T> c = hn::Set(d, correction);
      for (int64_t i = 0; i < dim; i += kLanesOf<T>) hn::StoreU(hn::Mul(hn::LoadU(d, o + i), c), d, o + i);
    }
  }
  maximum = new_max;
}

template <class T>
HWY_INLINE void forward_block(const AttentionCall& call, const QueryBlock& block, const ForwardScratch& scratch) {
  const Tag<T> d;
  const int64_t dim = round_up(call.head_dim, T::kNr);
  const int64_t keys = visible_keys(call, block, block.rows - 1);
  pack_query_rows<T>(call, block, call.q, scratch.q);
  for (int64_t row = 0; row < block.rows; ++row) {
    scratch.maximum[row] = -std::numeric_limits<float>::infinity();
    scratch.sum[row] = 0.0f;
  }
  if (keys == 0) std::memset(scratch.o, 0, static_cast<size_t>(block.rows * dim) * sizeof(float));
  for (int64_t key = 0; key < keys; key += kKeyColumns) {
    const int64_t columns = HWY_MIN(kKeyColumns, keys - key);
    pack_keys<T>(call, block, key, columns, scratch.keys);
    block_product<T>({scratch.q, true, 1, 0}, block.rows, scratch.keys, columns, call.head_dim, scratch.s, T::kAStride,
                     false, false);
    for (int64_t row = 0; row < block.rows; ++row) {
      float* s = scratch.s + row * T::kAStride;
      const int64_t visible = HWY_MIN(columns, visible_keys(call, block, row) - key);
      if (visible <= 0) {
        std::memset(s, 0, static_cast<size_t>(columns) * sizeof(float));
        continue;
      }
      scale_and_mask<T>(s, call.scale, visible, columns);
      softmax_step<T>(s, columns, scratch.o + row * dim, dim, scratch.maximum[row], scratch.sum[row], key == 0);
    }
    pack_values<T>(call, block, key, columns, scratch.values);
    block_product<T>({scratch.s, true, 1, 0}, block.rows, scratch.values, call.head_dim, columns, scratch.o, dim,
                     key > 0, false);
  }
  for (int64_t row = 0; row < block.rows; ++row) {
    float* o = scratch.o + row * dim;
    const float sum = scratch.sum[row];
    const bool empty = visible_keys(call, block, row) == 0;
    const Vec<T> divisor = hn::Set(d, empty ? 1.0f : sum);
    for (int64_t i = 0; i < dim; i += kLanesOf<T>) hn::StoreU(hn::Div(hn::LoadU(d, o + i), divisor), d, o + i);
    narrow_span(o, call.out.dtype, call.head_dim,
                at(call.out.data, call.out.dtype, memory_row(call, block, row) * call.head_dim));
    if (call.lse == nullptr) continue;
    call.lse[lse_index(call, block, row)] =
        scratch.maximum[row] + (empty ? 0.0f : hn::GetLane(log_of(hn::Set(d, sum))));
  }
}

/// The op by the tiles of T.
template <class T>
void attention_forward_with(Context& ctx, const AttentionCall& call, int64_t blocks) {
  static_assert(CheckedAttentionTiles<T>::kAreSound);
  Carver measure(nullptr);
  carve_forward<T>(call, measure);
  reserve_thread_scratch(ctx, measure.bytes());
  ctx.parallel.run(blocks * call.groups, [&](int64_t index) {
    // The longest rows of a causal segment start first, so that threads end together.
    const int64_t block = blocks - 1 - index / call.groups;
    const int64_t segment = segment_of_block(call, block);
    Carver carver(ctx.scratch.thread(ctx.parallel.thread_index()));
    const ForwardScratch scratch = carve_forward<T>(call, carver);
    forward_block<T>(call, query_block(call, segment, index % call.groups, block - call.block_starts[segment]),
                     scratch);
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
