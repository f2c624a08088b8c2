// The register tile of the packed GEMM and products of packed blocks; the vectors of a class of CPUs. Per-target code.
// Every element of c is one chain of fused multiply-adds over k, so bits do not depend on tiles or on other rows.
// Leaves out: packing (gemm_pack-inl.h).
#if defined(FTRUN_KERNELS_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_GEMM_TILE_INL_H_
#undef FTRUN_KERNELS_GEMM_TILE_INL_H_
#else
#define FTRUN_KERNELS_GEMM_TILE_INL_H_
#endif

#include <hwy/cache_control.h>

#include "plugins/devices/kernels/simd-inl.h"
#include "plugins/devices/kernels/tiles.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// The class of this target's CPUs.
#if HWY_TARGET == HWY_AVX3
using OwnTiles = Avx512Tiles;
#elif HWY_TARGET == HWY_AVX2
using OwnTiles = Avx2Tiles;
#elif HWY_TARGET == HWY_NEON
using OwnTiles = NeonTiles;
#else
using OwnTiles = PortableTiles;
#endif

/// Vectors of a class T on this target: its own, or the widest there are.
template <class T>
using Tag = hn::CappedTag<float, static_cast<size_t>(T::kVector)>;
template <class T>
using Vec = hn::Vec<Tag<T>>;
template <class T>
constexpr int64_t kLanesOf = static_cast<int64_t>(hn::MaxLanes(Tag<T>()));
/// Vectors of this target that stand for one of the class: 1 on the class's own CPUs.
template <class T>
constexpr int kParts = static_cast<int>(T::kVector / kLanesOf<T>);

/// What the code takes for granted of a class.
template <class T>
struct CheckedTiles {
  static_assert(T::kVector % kLanesOf<T> == 0 && T::kNr == 2 * T::kVector, "a panel is two vectors wide");
  static_assert(T::kMc % T::kMr == 0, "a block of a is whole register tiles");
  static_assert(T::kKc + T::kVector <= T::kAStride && T::kKc + kLanes <= T::kAStride, "a row's last vector fits");
  static_assert(T::kMaxTileN % T::kNr == 0, "whole panels");
  static_assert(T::kFewColumns <= T::kNr && T::kTurnedColumns <= T::kNr, "few columns are one panel");
  static constexpr bool kAreSound = true;
};

/// What a packed 32-bit element is and how two of them are multiplied. Here: an f32.
struct F32Products {
  static constexpr int64_t kPerElement = 1;
  template <class V>
  static HWY_INLINE V multiply_add(V a, V b, V sum) {
    return hn::MulAdd(a, b, sum);
  }
};

/// One register tile: c[R][kNr] (+)= a[R][kc] b[kc][kNr]. By row: a element (r, k) at a[r * kAStride + k]; otherwise at
/// a[k * a_stride + r]. b is packed [kc][kNr].
template <class T, class Products, int R, bool kByRow>
HWY_NOINLINE void micro_tile(const float* HWY_RESTRICT a, int64_t a_stride, const float* HWY_RESTRICT b, int64_t kc,
                             float* HWY_RESTRICT c, int64_t c_stride, bool start_from_c) {
  constexpr int V = 2 * kParts<T>;
  const Tag<T> d;
  Vec<T> sums[R][V];
  // The next tile's part of c is on its way while this one is computed.
  FTRUN_UNROLL
  for (int r = 0; r < R; ++r) {
    hwy::Prefetch(c + (R + r) * c_stride);
    hwy::Prefetch(c + (R + r) * c_stride + T::kNr - 1);
  }
  if (start_from_c) {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) {
      FTRUN_UNROLL
      for (int v = 0; v < V; ++v) sums[r][v] = hn::LoadU(d, c + r * c_stride + v * kLanesOf<T>);
    }
  } else {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) {
      FTRUN_UNROLL
      for (int v = 0; v < V; ++v) sums[r][v] = hn::Zero(d);
    }
  }
  for (int64_t k = 0; k < kc; ++k) {
    Vec<T> columns[V];
    FTRUN_UNROLL
    for (int v = 0; v < V; ++v) columns[v] = hn::LoadU(d, b + v * kLanesOf<T>);
    b += T::kNr;
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vec<T> a_r = hn::Set(d, kByRow ? a[r * T::kAStride] : a[r]);
      FTRUN_UNROLL
      for (int v = 0; v < V; ++v) sums[r][v] = Products::multiply_add(a_r, columns[v], sums[r][v]);
    }
    a += kByRow ? 1 : a_stride;
  }
  FTRUN_UNROLL
  for (int r = 0; r < R; ++r) {
    FTRUN_UNROLL
    for (int v = 0; v < V; ++v) hn::StoreU(sums[r][v], d, c + r * c_stride + v * kLanesOf<T>);
  }
}

using MicroTile = void (*)(const float*, int64_t, const float*, int64_t, float*, int64_t, bool);
template <class T, class Products, bool kByRow, int R = 1>
HWY_INLINE MicroTile micro_tile_for(int64_t rows) {
  if constexpr (R < T::kMr) {
    if (rows > R) return micro_tile_for<T, Products, kByRow, R + 1>(rows);
  }
  return micro_tile<T, Products, R, kByRow>;
}

/// A block of a as the micro-kernel reads it. By row: rows at data + r * kAStride. Otherwise k-major with `k_stride`;
/// panel p of kMr rows starts at data + p * panel_stride.
struct ABlock {
  const float* data;
  bool by_row;
  int64_t k_stride;
  int64_t panel_stride;
};

/// c[rows][columns] (+)= a[rows][kc] b, where b is packed in panels of kNr columns. c has room for whole panels of
/// columns unless columns_exact, in which case a last partial panel goes through a buffer.
template <class T, class Products = F32Products>
HWY_INLINE void block_product(const ABlock& a, int64_t rows, const float* b, int64_t columns, int64_t kc, float* c,
                              int64_t c_stride, bool start_from_c, bool columns_exact) {
  static_assert(CheckedTiles<T>::kAreSound);
  for (int64_t column = 0; column < columns; column += T::kNr) {
    const float* panel = b + column * kc;
    const bool partial = columns_exact && column + T::kNr > columns;
    for (int64_t row = 0; row < rows; row += T::kMr) {
      const int64_t count = HWY_MIN(static_cast<int64_t>(T::kMr), rows - row);
      const float* a_rows = a.data + (a.by_row ? row * T::kAStride : row / T::kMr * a.panel_stride);
      const MicroTile tile =
          a.by_row ? micro_tile_for<T, Products, true>(count) : micro_tile_for<T, Products, false>(count);
      float* out = c + row * c_stride + column;
      if (!partial) {
        tile(a_rows, a.k_stride, panel, kc, out, c_stride, start_from_c);
        continue;
      }
      float buffer[T::kMr * T::kNr] = {};
      const size_t bytes = static_cast<size_t>(columns - column) * sizeof(float);
      for (int64_t r = 0; start_from_c && r < count; ++r) std::memcpy(buffer + r * T::kNr, out + r * c_stride, bytes);
      tile(a_rows, a.k_stride, panel, kc, buffer, T::kNr, start_from_c);
      for (int64_t r = 0; r < count; ++r) std::memcpy(out + r * c_stride, buffer + r * T::kNr, bytes);
    }
  }
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
