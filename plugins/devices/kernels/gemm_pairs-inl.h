// bf16 products: packed elements are pairs of bf16 along k, as the CPU's dot-product instruction takes them.
// Per-target code. Leaves out: tiles and blocking (gemm_tile-inl.h), which are the same as for f32.
#if defined(FTRUN_KERNELS_GEMM_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_GEMM_PAIRS_INL_H_
#undef FTRUN_KERNELS_GEMM_PAIRS_INL_H_
#else
#define FTRUN_KERNELS_GEMM_PAIRS_INL_H_
#endif

#include "plugins/devices/kernels/gemm_pack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// A pair (k, k + 1) per 32 bits, k in the low half. kNative: vdpbf16ps, which only CPUs with avx512_bf16 have (Highway
/// 1.0.3 knows no such target); otherwise the same sums by two fused multiply-adds, for tests on other CPUs.
template <bool kNative>
struct Bf16Pairs {
  static constexpr int64_t kPerElement = 2;
  template <class V>
  static HWY_INLINE V multiply_add(V a, V b, V sum) {
#if HWY_TARGET == HWY_AVX3
    if constexpr (kNative) {
      asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
      return sum;
    }
#endif
    const hn::DFromV<V> d;
    const hn::RebindToUnsigned<hn::DFromV<V>> d32;
    const BitsOf<V> a_bits = hn::BitCast(d32, a), b_bits = hn::BitCast(d32, b), high = hn::Set(d32, 0xffff0000u);
    sum = hn::MulAdd(hn::BitCast(d, hn::ShiftLeft<16>(a_bits)), hn::BitCast(d, hn::ShiftLeft<16>(b_bits)), sum);
    return hn::MulAdd(hn::BitCast(d, hn::And(a_bits, high)), hn::BitCast(d, hn::And(b_bits, high)), sum);
  }
};

/// A vector of elements as bf16 in the low halves.
template <class D>
HWY_INLINE BitsOf<hn::Vec<D>> load_bits(D, const uint16_t* data) {
  const hn::Rebind<uint16_t, D> d16;
  const hn::RebindToUnsigned<D> d32;
  return hn::PromoteTo(d32, hn::LoadU(d16, data));
}
template <class D>
HWY_INLINE BitsOf<hn::Vec<D>> load_bits(D d, const float* data) {
  return bf16_bits(hn::LoadU(d, data));
}

/// The first `count` elements, at most a vector, zero beyond; NULL gives zeros.
template <class D, class Stored>
HWY_INLINE BitsOf<hn::Vec<D>> load_bits(D d, const Stored* data, int64_t count) {
  constexpr int64_t kCount = static_cast<int64_t>(hn::MaxLanes(D()));
  if (data == nullptr) return hn::Zero(hn::RebindToUnsigned<D>());
  if (count >= kCount) return load_bits(d, data);
  Stored lanes[kCount] = {};
  std::memcpy(lanes, data, static_cast<size_t>(count) * sizeof(Stored));
  return load_bits(d, lanes);
}

/// out[i] = pair (even[i], odd[i]) for i < count, zero up to a whole vector. odd is NULL past the last k.
template <class D, class Stored>
HWY_INLINE void interleave_rows(D d, const Stored* even, const Stored* odd, int64_t count, float* out) {
  constexpr int64_t kStep = static_cast<int64_t>(hn::MaxLanes(D()));
  for (int64_t i = 0; i < count; i += kStep) {
    const BitsOf<hn::Vec<D>> low = load_bits(d, even + i, count - i);
    const BitsOf<hn::Vec<D>> high = hn::ShiftLeft<16>(load_bits(d, odd == nullptr ? nullptr : odd + i, count - i));
    hn::StoreU(hn::BitCast(d, hn::Or(high, low)), d, out + i);
  }
}

/// The rows of k that make pair `pair`, from column `first`; the second is NULL past the end.
template <class Stored>
struct PairRows {
  const Stored *even, *odd;
  PairRows(const Matrix& matrix, int64_t k_count, int64_t pair, int64_t first)
      : even(static_cast<const Stored*>(matrix.data) + 2 * pair * matrix.row_stride + first),
        odd(2 * pair + 1 < k_count ? even + matrix.row_stride : nullptr) {}
};

/// b as it lies, rows of k. b is bf16; k0 and kc count pairs, k_count elements.
template <class T>
HWY_INLINE void pack_b_pairs_rows(const Matrix& b, int64_t k_count, int64_t k0, int64_t kc, int64_t n0, int64_t nc,
                                  float* out) {
  for (int64_t group = 0; group < nc; group += kPanelsTogether * T::kNr) {
    const int64_t last = HWY_MIN(nc, group + kPanelsTogether * T::kNr);
    for (int64_t k = 0; k < kc; ++k) {
      const PairRows<uint16_t> rows(b, k_count, k0 + k, n0);
      for (int64_t column = group; column < last; column += T::kNr) {
        float* row = out + column * kc + k * T::kNr;
        const int64_t count = HWY_MIN(T::kNr, last - column);
        zero_rest<T>(row, count);
        interleave_rows(Tag<T>(), rows.even + column, rows.odd == nullptr ? nullptr : rows.odd + column, count, row);
      }
    }
  }
}

/// Only bf16 lies in memory as pairs are packed; rows along k must be whole pairs.
template <bool kNative>
HWY_INLINE bool packs_as_columns(Bf16Pairs<kNative>, const Matrix& matrix, int64_t k_count) {
  return matrix.dtype == FTRUN_BF16 && (!matrix.transposed || (k_count % 2 == 0 && matrix.row_stride % 2 == 0));
}

/// b's rows along k are rows of pairs: transposing them is transposing 32-bit elements.
template <class T, bool kNative>
HWY_INLINE void pack_b(Bf16Pairs<kNative> products, const Matrix& b, int64_t k_count, int64_t k0, int64_t kc,
                       int64_t n0, int64_t nc, float* out) {
  HWY_DASSERT(packs_as_columns(products, b, k_count));
  if (!b.transposed) return pack_b_pairs_rows<T>(b, k_count, k0, kc, n0, nc, out);
  const Matrix pairs = {b.data, FTRUN_F32, b.row_stride / 2, true};
  pack_b<T>(pairs, k0, kc, n0, nc, out);
}

/// out[0, pairs) from in[0, count), zero where there are no more.
HWY_INLINE void pack_pair_row(const uint16_t* in, int64_t count, int64_t pairs, uint16_t* out) {
  const int64_t n = HWY_MIN(count, 2 * pairs);
  std::memcpy(out, in, static_cast<size_t>(n) * sizeof(uint16_t));
  for (int64_t i = n; i < 2 * pairs; ++i) out[i] = 0;
}
HWY_INLINE void pack_pair_row(const float* in, int64_t count, int64_t pairs, uint16_t* out) {
  const int64_t n = HWY_MIN(count, 2 * pairs);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store_bf16(hn::LoadU(F32(), in + i), out + i);
  if (i < n) {
    float tail[kLanes] = {};
    uint16_t rounded[kLanes];
    std::memcpy(tail, in + i, static_cast<size_t>(n - i) * sizeof(float));
    store_bf16(hn::LoadU(F32(), tail), rounded);
    std::memcpy(out + i, rounded, static_cast<size_t>(n - i) * sizeof(uint16_t));
  }
  for (i = n; i < 2 * pairs; ++i) out[i] = 0;
}

/// a is f32 (rounded here) or bf16. k0 and kc count pairs.
template <class T, class Stored>
HWY_INLINE ABlock pack_a_pairs(const Matrix& a, int64_t k_count, int64_t m0, int64_t mc, int64_t k0, int64_t kc,
                               float* out) {
  if (!a.transposed) {
    const Stored* in = static_cast<const Stored*>(a.data) + m0 * a.row_stride + 2 * k0;
    for (int64_t row = 0; row < mc; ++row) {
      pack_pair_row(in + row * a.row_stride, k_count - 2 * k0, kc,
                    reinterpret_cast<uint16_t*>(out + row * T::kAStride));
    }
    return {out, true, 1, 0};
  }
  for (int64_t k = 0; k < kc; ++k) {
    const PairRows<Stored> rows(a, k_count, k0 + k, m0);
    // Rows before the matrix's last one are followed by more of it, so a whole vector may be read.
    const bool may_read_on = 2 * (k0 + k) + 2 < k_count && a.row_stride >= kPanelRead<T>;
    for (int64_t row = 0; row < mc; row += T::kMr) {
      const int64_t width = may_read_on ? kPanelRead<T> : HWY_MIN(static_cast<int64_t>(T::kMr), mc - row);
      interleave_rows(Tag<T>(), rows.even + row, rows.odd == nullptr ? nullptr : rows.odd + row, width,
                      out + row / T::kMr * kPanelStride<T> + k * T::kMr);
    }
  }
  return {out, false, T::kMr, kPanelStride<T>};
}

template <class T, bool kNative>
HWY_INLINE ABlock pack_a(Bf16Pairs<kNative>, const Matrix& a, int64_t k_count, int64_t m0, int64_t mc, int64_t k0,
                         int64_t kc, float* out) {
  if (a.dtype == FTRUN_F32) return pack_a_pairs<T, float>(a, k_count, m0, mc, k0, kc, out);
  return pack_a_pairs<T, uint16_t>(a, k_count, m0, mc, k0, kc, out);
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
