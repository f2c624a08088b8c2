// Products with up to kThinRows rows of a (decoding): rows of b are transposed in registers straight from memory.
// Per-target code. Leaves out: more rows (gemm_rows-inl.h).
#if defined(FTRUN_KERNELS_GEMM_THIN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_GEMM_THIN_INL_H_
#undef FTRUN_KERNELS_GEMM_THIN_INL_H_
#else
#define FTRUN_KERNELS_GEMM_THIN_INL_H_
#endif

#include "plugins/devices/kernels/gemm_pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// How few rows read b: columns of packed elements (see Products) of a vector's lanes of its rows.
template <class Products, class Stored>
struct ThinColumns {
  static constexpr int64_t kStep = kTransposed<Stored>;      ///< packed elements of a row at a time
  static constexpr int64_t kElements = kTransposed<Stored>;  ///< which are so many elements of b
#if HWY_TARGET != HWY_SCALAR
  template <class D>
  static HWY_INLINE void load(D d, const Stored* data, int64_t row_stride, hn::Vec<D> out[kStep]) {
    transpose_some(d, data, row_stride, out);
  }
#endif
  template <class D>
  static HWY_INLINE hn::Vec<D> one(D d, const Stored* data, int64_t row_stride, int64_t k) {
    return column_of_rows(d, data, row_stride, k);
  }
};

/// Rows of whole pairs: pairs as they lie.
template <bool kNative>
struct ThinColumns<Bf16Pairs<kNative>, uint16_t> {
  static constexpr int64_t kStep = 4;
  static constexpr int64_t kElements = 8;
#if HWY_TARGET != HWY_SCALAR
  template <class D>
  static HWY_INLINE void load(D d, const uint16_t* data, int64_t row_stride, hn::Vec<D> out[kStep]) {
    transpose_four(d, PairsOfRow{data}, row_stride, out);
  }
#endif
  template <class D>
  static HWY_INLINE hn::Vec<D> one(D d, const uint16_t* data, int64_t row_stride, int64_t pair) {
    constexpr int64_t kCount = static_cast<int64_t>(hn::MaxLanes(D()));
    float lanes[kCount];
    for (int64_t lane = 0; lane < kCount; ++lane) {
      std::memcpy(lanes + lane, data + lane * row_stride + 2 * pair, sizeof(float));
    }
    return hn::LoadU(d, lanes);
  }
};

/// Row `row` of a as packed elements; out has room for whole vectors.
HWY_INLINE void thin_a_row(F32Products, const Matrix& a, int64_t row, int64_t k_count, float* out) {
  widen_span(at(a.data, a.dtype, row * a.row_stride), a.dtype, k_count, out);
}
template <bool kNative>
HWY_INLINE void thin_a_row(Bf16Pairs<kNative>, const Matrix& a, int64_t row, int64_t k_count, float* out) {
  const int64_t pairs = ceil_div(k_count, 2);
  uint16_t* packed = reinterpret_cast<uint16_t*>(out);
  if (a.dtype == FTRUN_F32) {
    pack_pair_row(static_cast<const float*>(a.data) + row * a.row_stride, k_count, pairs, packed);
  } else {
    pack_pair_row(static_cast<const uint16_t*>(a.data) + row * a.row_stride, k_count, pairs, packed);
  }
}

/// R rows of a against V vectors of b's rows (b transposed), straight from memory: with so few rows, packing b costs
/// more than it saves. The chain of each element is that of micro_tile; k_count counts packed elements. The next rows
/// of b are on their way meanwhile: they follow in memory, which the strided reads would not tell the CPU.
template <class T, class Products, int R, int V, class Stored>
HWY_NOINLINE void thin_panel(const float* a, int64_t a_stride, const Stored* b, int64_t b_stride, int64_t k_count,
                             float* c, int64_t c_stride, bool start_from_c) {
  using Columns = ThinColumns<Products, Stored>;
  constexpr int64_t kWidth = kLanesOf<T>;
  const Tag<T> d;
  Vec<T> sums[V][R];
  FTRUN_UNROLL
  for (int v = 0; v < V; ++v) {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) {
      sums[v][r] = start_from_c ? hn::LoadU(d, c + r * c_stride + v * kWidth) : hn::Zero(d);
    }
  }
  int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kTransposes<T>) {
    constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(Stored));
    const Stored* row = b;
    const Stored* next = b + V * kWidth * b_stride;
    for (; k + Columns::kStep <= k_count; k += Columns::kStep, row += Columns::kElements) {
      FTRUN_UNROLL
      for (int64_t line = 0; line < V * kWidth * Columns::kElements / kLine; ++line, next += kLine) {
        prefetch_to_l2(next);
      }
      FTRUN_UNROLL
      for (int v = 0; v < V; ++v) {
        Vec<T> columns[Columns::kStep];
        Columns::load(d, row + v * kWidth * b_stride, b_stride, columns);
        FTRUN_UNROLL
        for (int64_t i = 0; i < Columns::kStep; ++i) {
          FTRUN_UNROLL
          for (int r = 0; r < R; ++r) {
            sums[v][r] = Products::multiply_add(hn::Set(d, a[r * a_stride + k + i]), columns[i], sums[v][r]);
          }
        }
      }
    }
  }
#endif
  for (; k < k_count; ++k) {
    FTRUN_UNROLL
    for (int v = 0; v < V; ++v) {
      const Vec<T> column = Columns::one(d, b + v * kWidth * b_stride, b_stride, k);
      FTRUN_UNROLL
      for (int r = 0; r < R; ++r) {
        sums[v][r] = Products::multiply_add(hn::Set(d, a[r * a_stride + k]), column, sums[v][r]);
      }
    }
  }
  FTRUN_UNROLL
  for (int v = 0; v < V; ++v) {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) hn::StoreU(sums[v][r], d, c + r * c_stride + v * kWidth);
  }
}

/// Where a task's sums go: c itself or a scratch tile.
struct TileSums {
  float* data;
  int64_t stride;
  bool start_from_c;   ///< the sums continue what is there
  bool columns_exact;  ///< no room for whole panels of columns
};

/// R rows of a over whole panels of b's rows. a_stride and k_count count packed elements.
template <class T, class Products, int R, class Stored>
HWY_INLINE void thin_rows(const float* a, int64_t a_stride, const Matrix& b, int64_t k_count, int64_t column0,
                          int64_t columns, const TileSums& sums) {
  // Each sum is one chain: fewer rows need more columns at a time to keep the multipliers busy.
  constexpr int V = R <= 2 ? 4 : 2;
  const Stored* data = static_cast<const Stored*>(b.data) + column0 * b.row_stride;
  int64_t column = 0;
  for (; column + V * T::kVector <= columns; column += V * T::kVector) {
    thin_panel<T, Products, R, V * kParts<T>, Stored>(a, a_stride, data + column * b.row_stride, b.row_stride, k_count,
                                                      sums.data + column, sums.stride, sums.start_from_c);
  }
  for (; column < columns; column += T::kNr) {
    thin_panel<T, Products, R, 2 * kParts<T>, Stored>(a, a_stride, data + column * b.row_stride, b.row_stride, k_count,
                                                      sums.data + column, sums.stride, sums.start_from_c);
  }
}
template <class T, class Products, class Stored, int R = 1>
HWY_INLINE void thin_product(const float* a, int64_t a_stride, int64_t rows, const Matrix& b, int64_t k_count,
                             int64_t column0, int64_t columns, const TileSums& sums) {
  if constexpr (R < T::kThinRows) {
    if (rows > R) {
      return thin_product<T, Products, Stored, R + 1>(a, a_stride, rows, b, k_count, column0, columns, sums);
    }
  }
  thin_rows<T, Products, R, Stored>(a, a_stride, b, k_count, column0, columns, sums);
}

/// Takes the whole panels of columns when the call has few rows (decoding); returns how many columns it did. `packed`
/// has room for kMc * kAStride floats.
template <class T, class Products>
HWY_INLINE int64_t thin_columns(const GemmCall& call, const Matrix& a, const Matrix& b, int64_t column0,
                                int64_t columns, float* packed, const TileSums& sums) {
  const int64_t elements = ceil_div(call.k, Products::kPerElement);
  const int64_t a_stride = round_up(elements, kLanes), whole = columns / T::kNr * T::kNr;
  if (call.m > T::kThinRows || !b.transposed || a.transposed || whole == 0) return 0;
  if (call.m * a_stride > T::kMc * T::kAStride) return 0;
  for (int64_t row = 0; row < call.m; ++row) thin_a_row(Products(), a, row, call.k, packed + row * a_stride);
  if constexpr (Products::kPerElement == 1) {
    if (b.dtype == FTRUN_F32) {
      thin_product<T, Products, uint32_t>(packed, a_stride, call.m, b, elements, column0, whole, sums);
      return whole;
    }
  }
  thin_product<T, Products, uint16_t>(packed, a_stride, call.m, b, elements, column0, whole, sums);
  return whole;
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
