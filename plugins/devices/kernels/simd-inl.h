// SIMD building blocks shared by the kernels: f32 and bf16 spans, safe exp and log, fixed-order sums.
// Per-target code: included once per Highway target. A tail goes through a full vector, so an element's result never
// depends on its place in a span.
#if defined(FTRUN_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_SIMD_INL_H_
#undef FTRUN_KERNELS_SIMD_INL_H_
#else
#define FTRUN_KERNELS_SIMD_INL_H_
#endif

#include <hwy/highway.h>

#include <cstring>
#include <limits>

#include "ftrun/cpp/reference_kernels/elementwise.hpp"
#include "hwy/contrib/math/math-inl.h"
#include "plugins/devices/kernels/context.h"

#ifndef FTRUN_UNROLL
#define FTRUN_UNROLL _Pragma("GCC unroll 16")
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VF = hn::Vec<F32>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(F32()));
/// As many 32-bit integers.
template <class V>
using BitsOf = hn::Vec<hn::RebindToUnsigned<hn::DFromV<V>>>;
/// Elements that kernels convert at a time; a multiple of kLanes, small enough for L1.
constexpr int64_t kBlock = 1024;
static_assert(kBlock % kLanes == 0 && 64 % kLanes == 0, "blocks of 1,024 and of 64 elements are whole vectors");

/// A vector of bf16 values as f32.
template <class D>
HWY_INLINE hn::Vec<D> load_bf16(D d, const uint16_t* data) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, data))));
}

/// The bf16 nearest to each value (to even; NaN stays NaN), in the low half of its lane.
template <class V>
HWY_INLINE BitsOf<V> bf16_bits(V value) {
  const hn::RebindToUnsigned<hn::DFromV<V>> d32;
  const auto bits = hn::BitCast(d32, value);
  const auto lsb = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(d32, 0x7fffu)), lsb));
  const auto quiet = hn::Or(hn::ShiftRight<16>(bits), hn::Set(d32, 0x40u));
  const auto is_nan = hn::RebindMask(d32, hn::IsNaN(value));
  return hn::IfThenElse(is_nan, quiet, rounded);
}

template <class V>
HWY_INLINE void store_bf16(V value, uint16_t* data) {
  const hn::Rebind<uint16_t, hn::DFromV<V>> d16;
  hn::StoreU(hn::TruncateTo(d16, bf16_bits(value)), d16, data);
}

/// data[0, count) of `dtype` to f32. count may be anything; `out` has room for round_up(count, lanes of d) and gets
/// zeros there.
template <class D>
HWY_INLINE void widen_span(D d, const void* data, ftrun_dtype dtype, int64_t count, float* out) {
  constexpr int64_t kStep = static_cast<int64_t>(hn::MaxLanes(D()));
  int64_t i = 0;
  if (dtype == FTRUN_F32) {
    const float* in = static_cast<const float*>(data);
    for (; i + kStep <= count; i += kStep) hn::StoreU(hn::LoadU(d, in + i), d, out + i);
    if (i == count) return;
    hn::StoreU(hn::Zero(d), d, out + i);
    std::memcpy(out + i, in + i, static_cast<size_t>(count - i) * sizeof(float));
    return;
  }
  const uint16_t* in = static_cast<const uint16_t*>(data);
  for (; i + kStep <= count; i += kStep) hn::StoreU(load_bf16(d, in + i), d, out + i);
  if (i == count) return;
  uint16_t tail[kStep] = {};
  std::memcpy(tail, in + i, static_cast<size_t>(count - i) * sizeof(uint16_t));
  hn::StoreU(load_bf16(d, tail), d, out + i);
}
HWY_INLINE void widen_span(const void* data, ftrun_dtype dtype, int64_t count, float* out) {
  widen_span(F32(), data, dtype, count, out);
}

/// f32 in[0, count) to `dtype`; `in` is readable up to round_up(count, kLanes).
HWY_INLINE void narrow_span(const float* in, ftrun_dtype dtype, int64_t count, void* data) {
  if (dtype == FTRUN_F32) {
    std::memcpy(data, in, static_cast<size_t>(count) * sizeof(float));
    return;
  }
  uint16_t* out = static_cast<uint16_t*>(data);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store_bf16(hn::LoadU(F32(), in + i), out + i);
  if (i == count) return;
  uint16_t tail[kLanes];
  store_bf16(hn::LoadU(F32(), in + i), tail);
  std::memcpy(out + i, tail, static_cast<size_t>(count - i) * sizeof(uint16_t));
}

/// Pointer to element `index`.
HWY_INLINE const char* at(const void* data, ftrun_dtype dtype, int64_t index) {
  return static_cast<const char*>(data) + index * static_cast<int64_t>(FTRUN_DTYPE_BYTES(dtype));
}
HWY_INLINE char* at(void* data, ftrun_dtype dtype, int64_t index) {
  return static_cast<char*>(data) + index * static_cast<int64_t>(FTRUN_DTYPE_BYTES(dtype));
}

/// f32 values of data[index, index + count), count <= kBlock; copied to `buffer` (kBlock floats), zero beyond count.
HWY_INLINE const float* span(const void* data, ftrun_dtype dtype, int64_t index, int64_t count, float* buffer) {
  const char* in = at(data, dtype, index);
  if (dtype == FTRUN_F32 && count % kLanes == 0) return reinterpret_cast<const float*>(in);
  widen_span(in, dtype, count, buffer);
  return buffer;
}

/// e^x: NaN gives NaN, large x gives infinity.
template <class V>
HWY_INLINE V exp_of(V x) {
  const hn::DFromV<V> d;
  const V bounded = hn::Min(x, hn::Set(d, 89.0f));
  const V y = hn::IfThenElse(hn::Gt(x, hn::Set(d, 88.722839f)), hn::Set(d, std::numeric_limits<float>::infinity()),
                             hn::Exp(d, bounded));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

/// ln x: 0 gives -infinity, negative gives NaN.
template <class V>
HWY_INLINE V log_of(V x) {
  const hn::DFromV<V> d;
  const V inf = hn::Set(d, std::numeric_limits<float>::infinity());
  V y = hn::Log(d, x);
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(inf), y);
  y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
  const auto invalid = hn::Or(hn::IsNaN(x), hn::Lt(x, hn::Zero(d)));
  return hn::IfThenElse(invalid, hn::Set(d, std::numeric_limits<float>::quiet_NaN()), y);
}

/// Larger value; NaN in either gives NaN.
template <class V>
HWY_INLINE V max_of(V a, V b) {
  const V m = hn::IfThenElse(hn::Gt(a, b), a, b);
  return hn::IfThenElse(hn::IsNaN(a), a, m);
}
HWY_INLINE VF min_of(VF a, VF b) {
  const VF m = hn::IfThenElse(hn::Lt(a, b), a, b);
  return hn::IfThenElse(hn::IsNaN(a), a, m);
}

HWY_INLINE VF sigmoid_of(VF x) {
  const F32 d;
  const VF one = hn::Set(d, 1.0f);
  const VF e = exp_of(hn::Neg(hn::Abs(x)));
  const VF numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  return hn::Div(numerator, hn::Add(one, e));
}

/// Sum of the lanes in a fixed order.
template <class V>
HWY_INLINE float sum_lanes(V v) {
  constexpr int64_t kCount = static_cast<int64_t>(hn::MaxLanes(hn::DFromV<V>()));
  float lanes[kCount];
  hn::StoreU(v, hn::DFromV<V>(), lanes);
  for (int64_t width = kCount / 2; width > 0; width /= 2) {
    for (int64_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}
template <class V>
HWY_INLINE float max_lanes(V v) {
  constexpr int64_t kCount = static_cast<int64_t>(hn::MaxLanes(hn::DFromV<V>()));
  float lanes[kCount];
  hn::StoreU(v, hn::DFromV<V>(), lanes);
  for (int64_t width = kCount / 2; width > 0; width /= 2) {
    for (int64_t i = 0; i < width; ++i) {
      const float other = lanes[i + width];
      lanes[i] = lanes[i] > other || lanes[i] != lanes[i] ? lanes[i] : other;
    }
  }
  return lanes[0];
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
