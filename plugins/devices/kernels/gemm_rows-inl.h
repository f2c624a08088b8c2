// Products with few rows of a (decoding a batch) by b's rows as they lie, and with few columns (low-rank pairs) by a's.
// Per-target code.
// Leaves out: one to four rows (gemm_thin-inl.h), and many, where packing b is paid back (gemm_blocks-inl.h).
#if defined(FTRUN_KERNELS_GEMM_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_GEMM_ROWS_INL_H_
#undef FTRUN_KERNELS_GEMM_ROWS_INL_H_
#else
#define FTRUN_KERNELS_GEMM_ROWS_INL_H_
#endif

#include "plugins/devices/kernels/gemm_pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// Packed element `k` of a row of b in every lane. `load` may read two bytes past it, which `load_last` does not.
template <class Products, class Stored>
struct RowElement {
  static_assert(Products::kPerElement == 1 && sizeof(Stored) == 4);
  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const Stored* row, int64_t k) {
    return hn::BitCast(d, hn::Set(hn::RebindToUnsigned<D>(), row[k]));
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> load_last(D d, const Stored* row, int64_t k) {
    return load(d, row, k);
  }
};
template <>
struct RowElement<F32Products, uint16_t> {
  template <class D>
  static HWY_INLINE hn::Vec<D> widened(D d, uint32_t bits) {
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::Set(hn::RebindToUnsigned<D>(), bits)));
  }
  // The neighbour in the high half is shifted out: a broadcast of 16 bits would take a shuffle more.
  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const uint16_t* row, int64_t k) {
    uint32_t bits;
    std::memcpy(&bits, row + k, sizeof(bits));
    return widened(d, bits);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> load_last(D d, const uint16_t* row, int64_t k) {
    return widened(d, row[k]);
  }
};
template <bool kNative>
struct RowElement<Bf16Pairs<kNative>, uint16_t> {
  template <class D>
  static HWY_INLINE hn::Vec<D> load(D d, const uint16_t* row, int64_t k) {
    float pair;
    std::memcpy(&pair, row + 2 * k, sizeof(pair));
    return hn::Set(d, pair);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> load_last(D d, const uint16_t* row, int64_t k) {
    return load(d, row, k);
  }
};

/// c[R][V vectors] (+)= rows[R][kc] panel[kc][V vectors], rows of the panel kNr apart. The chain of each element is
/// that of micro_tile. The next rows of b are on their way meanwhile.
template <class T, class Products, int R, int V, class Stored>
HWY_NOINLINE void row_tile(const Stored* HWY_RESTRICT rows, int64_t row_stride, const float* HWY_RESTRICT panel,
                           int64_t kc, float* HWY_RESTRICT c, int64_t c_stride, bool start_from_c) {
  using Element = RowElement<Products, Stored>;
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(Stored)) / Products::kPerElement;
  constexpr int64_t kWidth = kLanesOf<T>;
  const Tag<T> d;
  Vec<T> sums[R][V];
  FTRUN_UNROLL
  for (int r = 0; r < R; ++r) {
    FTRUN_UNROLL
    for (int v = 0; v < V; ++v) sums[r][v] = start_from_c ? hn::LoadU(d, c + r * c_stride + v * kWidth) : hn::Zero(d);
  }
  const Stored* next = rows + R * row_stride;
  for (int64_t line = 0; line < kc; line += kLine) {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) prefetch_to_l2(next + r * row_stride + line * Products::kPerElement);
    const int64_t end = HWY_MIN(line + kLine, kc - 1);
    for (int64_t k = line; k < end; ++k, panel += T::kNr) {
      FTRUN_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vec<T> element = Element::load(d, rows + r * row_stride, k);
        FTRUN_UNROLL
        for (int v = 0; v < V; ++v)
          sums[r][v] = Products::multiply_add(hn::LoadU(d, panel + v * kWidth), element, sums[r][v]);
      }
    }
  }
  FTRUN_UNROLL
  for (int r = 0; r < R; ++r) {
    const Vec<T> element = Element::load_last(d, rows + r * row_stride, kc - 1);
    FTRUN_UNROLL
    for (int v = 0; v < V; ++v) {
      const Vec<T> last = Products::multiply_add(hn::LoadU(d, panel + v * kWidth), element, sums[r][v]);
      hn::StoreU(last, d, c + r * c_stride + v * kWidth);
    }
  }
}

/// Rows of b that a tile of one vector or two (of the class) takes: as many sums as registers hold.
template <class T, int kVectors>
constexpr int kRowTile = kVectors == 2 ? T::kMr : 2 * T::kMr;

template <class Stored>
using RowTile = void (*)(const Stored*, int64_t, const float*, int64_t, float*, int64_t, bool);
template <class T, class Products, int kVectors, class Stored, int R = 1>
HWY_INLINE RowTile<Stored> row_tile_for(int64_t rows) {
  if constexpr (R < kRowTile<T, kVectors>) {
    if (rows > R) return row_tile_for<T, Products, kVectors, Stored, R + 1>(rows);
  }
  return row_tile<T, Products, R, kVectors * kParts<T>, Stored>;
}

/// All rows of b [count] against one panel, in tiles of even height: a low last one would leave multipliers idle.
template <class T, class Products, int kVectors, class Stored>
HWY_INLINE void row_tiles(const Stored* rows, int64_t row_stride, int64_t count, const float* panel, int64_t kc,
                          float* c, int64_t c_stride, bool start_from_c) {
  for (int64_t tiles = ceil_div(count, kRowTile<T, kVectors>); tiles > 0; --tiles) {
    const int64_t height = ceil_div(count, tiles);
    row_tile_for<T, Products, kVectors, Stored>(height)(rows, row_stride, panel, kc, c, c_stride, start_from_c);
    count -= height;
    rows += height * row_stride;
    c += height * c_stride;
  }
}

/// to[row][column] = from[column][row], columns `from_stride` floats apart.
template <class T>
HWY_INLINE void turn_sums(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
                          int64_t to_stride) {
  int64_t column = 0;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kTransposes<T>) {
    constexpr int64_t kWidth = kLanesOf<T>;
    const Tag<T> d;
    for (; column + kWidth <= columns; column += kWidth) {
      int64_t row = 0;
      for (; row + 4 <= rows; row += 4) {
        Vec<T> v[4];
        transpose_four(d, reinterpret_cast<const uint32_t*>(from) + column * from_stride + row, from_stride, v);
        FTRUN_UNROLL
        for (int64_t i = 0; i < 4; ++i) hn::StoreU(v[i], d, to + (row + i) * to_stride + column);
      }
      for (; row < rows; ++row) {
        for (int64_t i = 0; i < kWidth; ++i) to[row * to_stride + column + i] = from[(column + i) * from_stride + row];
      }
    }
  }
#endif
  for (; column < columns; ++column) {
    for (int64_t row = 0; row < rows; ++row) to[row * to_stride + column] = from[column * from_stride + row];
  }
}

/// All rows of b against `columns` of a panel, which may be more than it has.
template <class T, class Products, class Stored>
HWY_INLINE void panel_tiles(const Stored* rows, int64_t row_stride, int64_t count, int64_t columns, const float* panel,
                            int64_t kc, float* c, int64_t c_stride, bool start_from_c) {
  if (columns > T::kVector) {
    row_tiles<T, Products, 2>(rows, row_stride, count, panel, kc, c, c_stride, start_from_c);
  } else {
    row_tiles<T, Products, 1>(rows, row_stride, count, panel, kc, c, c_stride, start_from_c);
  }
}

/// body(rows of `matrix` from element `index` on, as its dtype lies in memory). Pairs lie in bf16 only.
template <class Products, class Body>
HWY_INLINE void with_stored_rows(const Matrix& matrix, int64_t index, const Body& body) {
  const char* data = at(matrix.data, matrix.dtype, index);
  if constexpr (Products::kPerElement == 1) {
    if (matrix.dtype == FTRUN_F32) return body(reinterpret_cast<const uint32_t*>(data));
  }
  body(reinterpret_cast<const uint16_t*>(data));
}

/// One pass over k of few_rows_product; `turned` is [columns][width].
template <class T, class Products, class Stored>
HWY_INLINE void few_rows_pass(const Stored* b_rows, int64_t row_stride, int64_t columns, const float* panels,
                              int64_t rows, int64_t kc, float* turned, int64_t width, bool start_from_c) {
  // So few rows of b that all panels of a meet them in L1.
  const int64_t step = rows <= T::kNr ? columns : 4 * kRowTile<T, 2>;
  for (int64_t column = 0; column < columns; column += step) {
    const int64_t count = HWY_MIN(step, columns - column);
    const Stored* b = b_rows + column * row_stride;
    float* c = turned + column * width;
    for (int64_t row = 0; row < rows; row += T::kNr) {
      panel_tiles<T, Products>(b, row_stride, count, rows - row, panels + row * kc, kc, c + row, width, start_from_c);
    }
  }
}

/// The matrix whose rows are `matrix`'s as they lie, as columns of a product.
HWY_INLINE Matrix rows_as_columns(const Matrix& matrix) {
  return {matrix.data, matrix.dtype, matrix.row_stride, !matrix.transposed};
}

/// Whether few_rows_product takes it: rows of b along k, and a that packs into panels of columns like such a b.
template <class T, class Products>
HWY_INLINE bool takes_few_rows(const Matrix& a, const Matrix& b, int64_t rows, int64_t k_count) {
  return rows <= T::kFewRows && b.transposed && !a.transposed &&
         packs_as_columns(Products(), rows_as_columns(a), k_count);
}

/// sums[rows, columns] (row-major, `sums_stride` apart) = a b with the roles swapped: b's rows are broadcast from where
/// they lie, a is packed into panels, and the sums are turned at the end. `panels` has room for kFewRowsKc x whole
/// panels of rows, `turned` for columns x those.
template <class T, class Products>
HWY_INLINE void few_rows_product(const Matrix& a, const Matrix& b, int64_t k_count, int64_t row0, int64_t rows,
                                 int64_t column0, int64_t columns, float* panels, float* turned, float* sums,
                                 int64_t sums_stride, bool start_from_c) {
  const int64_t width = round_up(rows, T::kNr), elements = ceil_div(k_count, Products::kPerElement);
  if (start_from_c) turn_sums<T>(sums, sums_stride, columns, rows, turned, width);
  for (int64_t k0 = 0; k0 < elements; k0 += T::kFewRowsKc) {
    const int64_t kc = HWY_MIN(T::kFewRowsKc, elements - k0);
    pack_b<T>(Products(), rows_as_columns(a), k_count, k0, kc, row0, rows, panels);
    with_stored_rows<Products>(b, column0 * b.row_stride + k0 * Products::kPerElement,
                               [&](const auto* b_rows) HWY_ATTR {
                                 few_rows_pass<T, Products>(b_rows, b.row_stride, columns, panels, rows, kc, turned,
                                                            width, start_from_c || k0 > 0);
                               });
  }
  turn_sums<T>(turned, width, rows, columns, sums, sums_stride);
}

/// Whether few_columns_product takes it: one panel of columns, rows of a along k, and room to store whole vectors.
template <class T, class Products>
HWY_INLINE bool takes_few_columns(const Matrix& a, int64_t columns, int64_t k_count, bool columns_exact) {
  if (columns > T::kFewColumns || a.transposed) return false;
  const bool whole_vectors = columns % T::kNr == 0 || columns == T::kVector;
  return (whole_vectors || !columns_exact) && packs_as_columns(Products(), rows_as_columns(a), k_count);
}

/// sums[rows, columns] = a b for at most kNr columns: a's rows are broadcast from where they lie, because each element
/// is used too seldom to be packed. `panel` has room for kFewRowsKc x kNr floats.
template <class T, class Products>
HWY_INLINE void few_columns_product(const Matrix& a, const Matrix& b, int64_t k_count, int64_t row0, int64_t rows,
                                    int64_t columns, float* panel, float* sums, int64_t sums_stride,
                                    bool start_from_c) {
  const int64_t elements = ceil_div(k_count, Products::kPerElement);
  for (int64_t k0 = 0; k0 < elements; k0 += T::kFewRowsKc) {
    const int64_t kc = HWY_MIN(T::kFewRowsKc, elements - k0);
    pack_b<T>(Products(), b, k_count, k0, kc, 0, columns, panel);
    with_stored_rows<Products>(a, row0 * a.row_stride + k0 * Products::kPerElement, [&](const auto* a_rows) HWY_ATTR {
      panel_tiles<T, Products>(a_rows, a.row_stride, rows, columns, panel, kc, sums, sums_stride,
                               start_from_c || k0 > 0);
    });
  }
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
