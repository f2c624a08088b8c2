// Packed single-thread GEMM tiles: panels of a and b in cache, a register micro-kernel. Per-target code.
// Every element of c is one chain of fused multiply-adds over k, so bits do not depend on tiles or on other rows.
#if defined(FTRUN_KERNELS_GEMM_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_GEMM_TILE_INL_H_
#undef FTRUN_KERNELS_GEMM_TILE_INL_H_
#else
#define FTRUN_KERNELS_GEMM_TILE_INL_H_
#endif

#include <hwy/cache_control.h>

#include "plugins/devices/kernels/gemm.h"
#include "plugins/devices/kernels/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

// 2 FMA ports x 4 cycles latency need 8 chains; 6 x 2 of the 16 registers (12 x 2 of 32) also hide the broadcasts.
#if HWY_TARGET == HWY_AVX3
constexpr int kMr = 12;
#elif HWY_TARGET == HWY_AVX2
constexpr int kMr = 6;
#else
constexpr int kMr = 4;
#endif
constexpr int64_t kNr = 2 * kLanes;
/// Elements read at once when a panel of a is packed: kMr rounded up to whole vectors.
constexpr int64_t kPanelRead = round_up(kMr, kLanes);
/// k per pass: a b panel of kKc x kNr floats stays in L1.
constexpr int64_t kKc = 256;
/// Rows of a per pass: kMc x kKc floats stay in L2. A multiple of every kMr.
constexpr int64_t kMc = 144;
/// Floats from one packed row of a to the next; not a power of two, so rows do not share cache sets.
constexpr int64_t kAStride = kKc + 16;

/// What a packed 32-bit element is and how two of them are multiplied. Here: an f32.
struct F32Products {
  static constexpr int64_t kPerElement = 1;
  static HWY_INLINE VF multiply_add(VF a, VF b, VF sum) { return hn::MulAdd(a, b, sum); }
};

/// One register tile: c[R][kNr] (+)= a[R][kc] b[kc][kNr]. By row: a element (r, k) at a[r * kAStride + k]; otherwise at
/// a[k * a_stride + r]. b is packed [kc][kNr].
template <class Products, int R, bool kByRow>
HWY_INLINE void micro_tile(const float* HWY_RESTRICT a, int64_t a_stride, const float* HWY_RESTRICT b, int64_t kc,
                           float* HWY_RESTRICT c, int64_t c_stride, bool start_from_c) {
  const F32 d;
  VF low[R], high[R];
  // The next tile's part of c is on its way while this one is computed.
  FTRUN_UNROLL
  for (int r = 0; r < R; ++r) {
    hwy::Prefetch(c + (R + r) * c_stride);
    hwy::Prefetch(c + (R + r) * c_stride + kNr - 1);
  }
  if (start_from_c) {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) {
      low[r] = hn::LoadU(d, c + r * c_stride);
      high[r] = hn::LoadU(d, c + r * c_stride + kLanes);
    }
  } else {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) low[r] = high[r] = hn::Zero(d);
  }
  for (int64_t k = 0; k < kc; ++k) {
    const VF b_low = hn::LoadU(d, b), b_high = hn::LoadU(d, b + kLanes);
    b += kNr;
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) {
      const VF a_r = hn::Set(d, kByRow ? a[r * kAStride] : a[r]);
      low[r] = Products::multiply_add(a_r, b_low, low[r]);
      high[r] = Products::multiply_add(a_r, b_high, high[r]);
    }
    a += kByRow ? 1 : a_stride;
  }
  FTRUN_UNROLL
  for (int r = 0; r < R; ++r) {
    hn::StoreU(low[r], d, c + r * c_stride);
    hn::StoreU(high[r], d, c + r * c_stride + kLanes);
  }
}

using MicroTile = void (*)(const float*, int64_t, const float*, int64_t, float*, int64_t, bool);
template <class Products, int R, bool kByRow>
HWY_NOINLINE void micro_tile_call(const float* a, int64_t a_stride, const float* b, int64_t kc, float* c,
                                  int64_t c_stride, bool start_from_c) {
  micro_tile<Products, R, kByRow>(a, a_stride, b, kc, c, c_stride, start_from_c);
}

template <class Products, bool kByRow, int R = 1>
HWY_INLINE MicroTile micro_tile_for(int64_t rows) {
  if constexpr (R < kMr) {
    if (rows > R) return micro_tile_for<Products, kByRow, R + 1>(rows);
  }
  return micro_tile_call<Products, R, kByRow>;
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
template <class Products = F32Products>
HWY_INLINE void block_product(const ABlock& a, int64_t rows, const float* b, int64_t columns, int64_t kc, float* c,
                              int64_t c_stride, bool start_from_c, bool columns_exact) {
  for (int64_t column = 0; column < columns; column += kNr) {
    const float* panel = b + column * kc;
    const bool partial = columns_exact && column + kNr > columns;
    for (int64_t row = 0; row < rows; row += kMr) {
      const int64_t count = HWY_MIN(static_cast<int64_t>(kMr), rows - row);
      const float* a_rows = a.data + (a.by_row ? row * kAStride : row / kMr * a.panel_stride);
      const MicroTile tile = a.by_row ? micro_tile_for<Products, true>(count) : micro_tile_for<Products, false>(count);
      float* out = c + row * c_stride + column;
      if (!partial) {
        tile(a_rows, a.k_stride, panel, kc, out, c_stride, start_from_c);
        continue;
      }
      float buffer[kMr * kNr] = {};
      const size_t bytes = static_cast<size_t>(columns - column) * sizeof(float);
      for (int64_t r = 0; start_from_c && r < count; ++r) std::memcpy(buffer + r * kNr, out + r * c_stride, bytes);
      tile(a_rows, a.k_stride, panel, kc, buffer, kNr, start_from_c);
      for (int64_t r = 0; r < count; ++r) std::memcpy(out + r * c_stride, buffer + r * kNr, bytes);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
/// A row of bf16 read as pairs of 32 bits; offsets are in single elements.
struct PairsOfRow {
  const uint16_t* data;
  PairsOfRow operator+(int64_t elements) const { return {data + elements}; }
};

/// Four consecutive f32 (T uint32_t: their bits), or four pairs of bf16 as 32 bits each.
HWY_INLINE hn::Vec<hn::CappedTag<float, 4>> load_four(const uint32_t* row) {
  const hn::CappedTag<float, 4> d4;
  const hn::Rebind<uint32_t, decltype(d4)> u4;
  return hn::BitCast(d4, hn::LoadU(u4, row));
}
HWY_INLINE hn::Vec<hn::CappedTag<float, 4>> load_four(PairsOfRow row) {
  const hn::CappedTag<float, 4> d4;
  const hn::Repartition<uint16_t, decltype(d4)> u8;
  return hn::BitCast(d4, hn::LoadU(u8, row.data));
}

/// A vector whose 128-bit block j holds four elements of row 4 j.
template <class D, class Row>
HWY_INLINE hn::Vec<D> load_every_fourth_row(D d, Row data, int64_t row_stride) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return load_four(data);
  } else {
    const hn::Half<D> half;
    const int64_t rows = static_cast<int64_t>(hn::MaxLanes(hn::Half<D>()));
    return hn::Combine(d, load_every_fourth_row(half, data + rows * row_stride, row_stride),
                       load_every_fourth_row(half, data, row_stride));
  }
}
#endif

#if HWY_TARGET != HWY_SCALAR
/// Elements (or pairs) 0 .. 3 of kLanes rows as four vectors: out[i] lane r = row r's element i.
template <class Row>
HWY_INLINE void transpose_four(Row data, int64_t row_stride, VF out[4]) {
  const F32 d;
  VF v[4];
  FTRUN_UNROLL
  for (int64_t i = 0; i < 4; ++i) v[i] = load_every_fourth_row(d, data + i * row_stride, row_stride);
  // 4 x 4 transposition inside every 128-bit block.
  const VF low02 = hn::InterleaveLower(d, v[0], v[2]), high02 = hn::InterleaveUpper(d, v[0], v[2]);
  const VF low13 = hn::InterleaveLower(d, v[1], v[3]), high13 = hn::InterleaveUpper(d, v[1], v[3]);
  out[0] = hn::InterleaveLower(d, low02, low13);
  out[1] = hn::InterleaveUpper(d, low02, low13);
  out[2] = hn::InterleaveLower(d, high02, high13);
  out[3] = hn::InterleaveUpper(d, high02, high13);
}
#endif

/// Element k of kLanes rows.
template <class T>
HWY_INLINE VF column_of_rows(const T* data, int64_t row_stride, int64_t k) {
  float lanes[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const uint32_t bits = data[lane * row_stride + k];
    lanes[lane] = float_from_bits(sizeof(T) == 4 ? bits : bits << 16);
  }
  return hn::LoadU(F32(), lanes);
}

/// Elements of a row that are transposed at a time: those of 128 bits.
template <class T>
constexpr int64_t kTransposed = sizeof(T) == 4 ? 4 : 8;

#if HWY_TARGET != HWY_SCALAR
/// Elements k .. k + kTransposed of kLanes rows: out[i] lane r = row r's element k + i.
HWY_INLINE void transpose_some(const uint32_t* data, int64_t row_stride, VF out[4]) {
  transpose_four(data, row_stride, out);
}
/// bf16 is transposed in pairs, which are taken apart afterwards: half the shuffles, and no widening loads.
HWY_INLINE void transpose_some(const uint16_t* data, int64_t row_stride, VF out[8]) {
  const F32 d;
  const hn::RebindToUnsigned<F32> d32;
  const VU32 high = hn::Set(d32, 0xffff0000u);
  VF pairs[4];
  transpose_four(PairsOfRow{data}, row_stride, pairs);
  FTRUN_UNROLL
  for (int64_t i = 0; i < 4; ++i) {
    const VU32 bits = hn::BitCast(d32, pairs[i]);
    out[2 * i] = hn::BitCast(d, hn::ShiftLeft<16>(bits));
    out[2 * i + 1] = hn::BitCast(d, hn::And(bits, high));
  }
}
#endif

/// For lines that are read much later: a core has more misses to L2 in flight than to L1 (measured on Zen 4: 16 GB/s
/// against 10 with all levels asked for).
HWY_INLINE void prefetch_to_l2(const void* data) {
#if defined(__GNUC__)
  __builtin_prefetch(data, 0, 2);
#else
  hwy::Prefetch(static_cast<const char*>(data));
#endif
}

/// out[k][0 .. kLanes) = rows' element k for k in [0, kc): transposes kLanes rows. Columns of out are kNr apart.
template <class T>
HWY_INLINE void transpose_rows(const T* data, int64_t row_stride, int64_t kc, float* out) {
  int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; k + kTransposed<T> <= kc; k += kTransposed<T>) {
    VF v[kTransposed<T>];
    transpose_some(data + k, row_stride, v);
    FTRUN_UNROLL
    for (int64_t i = 0; i < kTransposed<T>; ++i) hn::StoreU(v[i], F32(), out + (k + i) * kNr);
  }
#endif
  for (; k < kc; ++k) hn::StoreU(column_of_rows(data, row_stride, k), F32(), out + k * kNr);
}

/// How few rows read b: columns of packed elements (see Products) of kLanes of its rows.
template <class Products, class T>
struct ThinColumns {
  static constexpr int64_t kStep = kTransposed<T>;      ///< packed elements of a row at a time
  static constexpr int64_t kElements = kTransposed<T>;  ///< which are so many elements of b
#if HWY_TARGET != HWY_SCALAR
  static HWY_INLINE void load(const T* data, int64_t row_stride, VF out[kStep]) {
    transpose_some(data, row_stride, out);
  }
#endif
  static HWY_INLINE VF one(const T* data, int64_t row_stride, int64_t k) { return column_of_rows(data, row_stride, k); }
};

/// R rows of a against V vectors of b's rows (b transposed), straight from memory: with so few rows, packing b costs
/// more than it saves. The chain of each element is that of micro_tile; k_count counts packed elements. The next rows
/// of b are on their way meanwhile: they follow in memory, which the strided reads would not tell the CPU.
template <class Products, int R, int V, class T>
HWY_NOINLINE void thin_panel(const float* a, int64_t a_stride, const T* b, int64_t b_stride, int64_t k_count, float* c,
                             int64_t c_stride, bool start_from_c) {
  using Columns = ThinColumns<Products, T>;
  const F32 d;
  VF sums[V][R];
  FTRUN_UNROLL
  for (int v = 0; v < V; ++v) {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) {
      sums[v][r] = start_from_c ? hn::LoadU(d, c + r * c_stride + v * kLanes) : hn::Zero(d);
    }
  }
  int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  const T* row = b;
  const T* next = b + V * kLanes * b_stride;
  for (; k + Columns::kStep <= k_count; k += Columns::kStep, row += Columns::kElements) {
    FTRUN_UNROLL
    for (int64_t line = 0; line < V * kLanes * Columns::kElements / kLine; ++line, next += kLine) prefetch_to_l2(next);
    FTRUN_UNROLL
    for (int v = 0; v < V; ++v) {
      VF columns[Columns::kStep];
      Columns::load(row + v * kLanes * b_stride, b_stride, columns);
      FTRUN_UNROLL
      for (int64_t i = 0; i < Columns::kStep; ++i) {
        FTRUN_UNROLL
        for (int r = 0; r < R; ++r) {
          sums[v][r] = Products::multiply_add(hn::Set(d, a[r * a_stride + k + i]), columns[i], sums[v][r]);
        }
      }
    }
  }
#endif
  for (; k < k_count; ++k) {
    FTRUN_UNROLL
    for (int v = 0; v < V; ++v) {
      const VF column = Columns::one(b + v * kLanes * b_stride, b_stride, k);
      FTRUN_UNROLL
      for (int r = 0; r < R; ++r) {
        sums[v][r] = Products::multiply_add(hn::Set(d, a[r * a_stride + k]), column, sums[v][r]);
      }
    }
  }
  FTRUN_UNROLL
  for (int v = 0; v < V; ++v) {
    FTRUN_UNROLL
    for (int r = 0; r < R; ++r) hn::StoreU(sums[v][r], d, c + r * c_stride + v * kLanes);
  }
}

/// Row `row` of a as packed elements; out has room for whole vectors.
HWY_INLINE void thin_a_row(F32Products, const Matrix& a, int64_t row, int64_t k_count, float* out) {
  widen_span(at(a.data, a.dtype, row * a.row_stride), a.dtype, k_count, out);
}

HWY_INLINE float element(const Matrix& matrix, int64_t row, int64_t column) {
  return reference::load_float(static_cast<const char*>(matrix.data), matrix.dtype, row * matrix.row_stride + column);
}

/// Panels of b that are filled together when b is read by rows: neighbouring cache lines are then read together, where
/// one panel at a time would come back to each page for a single line.
constexpr int64_t kPanelsTogether = 8;

/// Asks for a part of a row that is read later: rows lie pages apart, which no prefetcher of the CPU follows.
HWY_INLINE void prefetch_span(const void* data, ftrun_dtype dtype, int64_t index, int64_t count) {
  const char* end = at(data, dtype, index + count);
  for (const char* line = at(data, dtype, index); line < end; line += 64) hwy::Prefetch(line);
}

/// Rows of b to ask for ahead of their packing.
constexpr int64_t kPackAhead = 8;

/// pack_b for b as it lies: rows of k. `panel_rows` >= kc: rows that each panel has room for.
HWY_INLINE void pack_b_rows(const Matrix& b, int64_t k0, int64_t kc, int64_t n0, int64_t nc, float* out,
                            int64_t panel_rows) {
  for (int64_t group = 0; group < nc; group += kPanelsTogether * kNr) {
    const int64_t last = HWY_MIN(nc, group + kPanelsTogether * kNr);
    for (int64_t k = 0; k < kc; ++k) {
      const char* in = at(b.data, b.dtype, (k0 + k) * b.row_stride + n0);
      if (k + kPackAhead < kc) prefetch_span(in, b.dtype, kPackAhead * b.row_stride + group, last - group);
      for (int64_t column = group; column < last; column += kNr) {
        float* row = out + column * panel_rows + k * kNr;
        const int64_t count = HWY_MIN(kNr, last - column);
        if (count <= kLanes) hn::StoreU(hn::Zero(F32()), F32(), row + kLanes);
        widen_span(at(in, b.dtype, column), b.dtype, count, row);
      }
    }
  }
}

/// Packs b[k0, k0 + kc) x [n0, n0 + nc) into panels [kc][kNr]; columns beyond nc are zero.
HWY_INLINE void pack_b(const Matrix& b, int64_t k0, int64_t kc, int64_t n0, int64_t nc, float* out) {
  if (!b.transposed) return pack_b_rows(b, k0, kc, n0, nc, out, kc);
  for (int64_t column = 0; column < nc; column += kNr, out += kc * kNr) {
    const int64_t count = HWY_MIN(kNr, nc - column);
    if (count < kNr) std::memset(out, 0, static_cast<size_t>(kc * kNr) * sizeof(float));
    for (int64_t half = 0; half < count; half += kLanes) {
      const int64_t first = n0 + column + half;
      if (half + kLanes <= count) {
        const char* data = at(b.data, b.dtype, first * b.row_stride + k0);
        if (b.dtype == FTRUN_F32) {
          transpose_rows(reinterpret_cast<const uint32_t*>(data), b.row_stride, kc, out + half);
        } else {
          transpose_rows(reinterpret_cast<const uint16_t*>(data), b.row_stride, kc, out + half);
        }
        continue;
      }
      for (int64_t lane = 0; lane < count - half; ++lane) {
        for (int64_t k = 0; k < kc; ++k) out[k * kNr + half + lane] = element(b, first + lane, k0 + k);
      }
    }
  }
}

/// Floats from one panel of a transposed block to the next; the gap takes what the last row's whole vector spills.
constexpr int64_t kPanelStride = kMr * kKc + kPanelRead;

/// Packs a[m0, m0 + mc) x [k0, k0 + kc) for the micro-kernel; `out` has room for kMc * kAStride floats.
HWY_INLINE ABlock pack_a(const Matrix& a, int64_t m0, int64_t mc, int64_t k0, int64_t kc, float* out) {
  if (!a.transposed) {
    for (int64_t row = 0; row < mc; ++row) {
      widen_span(at(a.data, a.dtype, (m0 + row) * a.row_stride + k0), a.dtype, kc, out + row * kAStride);
    }
    return {out, true, 1, 0};
  }
  // widen_span writes whole vectors: a panel's row k overwrites the spill of row k - 1's tail.
  for (int64_t k = 0; k < kc; ++k) {
    const char* in = at(a.data, a.dtype, (k0 + k) * a.row_stride + m0);
    // All but the last row are followed by more of the matrix, so a whole vector may be read.
    const bool may_read_on = k + 1 < kc && a.row_stride >= kPanelRead;
    for (int64_t row = 0; row < mc; row += kMr) {
      const int64_t width = may_read_on ? kPanelRead : HWY_MIN(static_cast<int64_t>(kMr), mc - row);
      widen_span(at(in, a.dtype, row), a.dtype, width, out + row / kMr * kPanelStride + k * kMr);
    }
  }
  return {out, false, kMr, kPanelStride};
}

/// The same by the kind of products; k_count is the whole K in elements, k0 and kc count packed elements.
HWY_INLINE void pack_b(F32Products, const Matrix& b, int64_t /*k_count*/, int64_t k0, int64_t kc, int64_t n0,
                       int64_t nc, float* out) {
  pack_b(b, k0, kc, n0, nc, out);
}
HWY_INLINE ABlock pack_a(F32Products, const Matrix& a, int64_t /*k_count*/, int64_t m0, int64_t mc, int64_t k0,
                         int64_t kc, float* out) {
  return pack_a(a, m0, mc, k0, kc, out);
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
