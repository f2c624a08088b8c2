// Packing of the GEMM's operands: b into panels of kNr columns, a into rows or panels of kMr; transposition in
// registers. Per-target code. Leaves out: pairs of bf16 (gemm_pairs-inl.h).
#if defined(FTRUN_KERNELS_GEMM_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_GEMM_PACK_INL_H_
#undef FTRUN_KERNELS_GEMM_PACK_INL_H_
#else
#define FTRUN_KERNELS_GEMM_PACK_INL_H_
#endif

#include "plugins/devices/kernels/gemm.h"
#include "plugins/devices/kernels/gemm_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR
/// A row of bf16 read as pairs of 32 bits; offsets are in single elements.
struct PairsOfRow {
  const uint16_t* data;
  PairsOfRow operator+(int64_t elements) const { return {data + elements}; }
};

/// Four consecutive f32 (as uint32_t: their bits), or four pairs of bf16 as 32 bits each.
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

/// Elements (or pairs) 0 .. 3 of a vector's lanes of rows: out[i] lane r = row r's element i. At least four lanes.
template <class D, class Row>
HWY_INLINE void transpose_four(D d, Row data, int64_t row_stride, hn::Vec<D> out[4]) {
  using V = hn::Vec<D>;
  V v[4];
  FTRUN_UNROLL
  for (int64_t i = 0; i < 4; ++i) v[i] = load_every_fourth_row(d, data + i * row_stride, row_stride);
  // 4 x 4 transposition inside every 128-bit block.
  const V low02 = hn::InterleaveLower(d, v[0], v[2]), high02 = hn::InterleaveUpper(d, v[0], v[2]);
  const V low13 = hn::InterleaveLower(d, v[1], v[3]), high13 = hn::InterleaveUpper(d, v[1], v[3]);
  out[0] = hn::InterleaveLower(d, low02, low13);
  out[1] = hn::InterleaveUpper(d, low02, low13);
  out[2] = hn::InterleaveLower(d, high02, high13);
  out[3] = hn::InterleaveUpper(d, high02, high13);
}
#endif

/// Whether rows are transposed in registers: the shuffles work on blocks of four lanes.
template <class T>
constexpr bool kTransposes = kLanesOf<T> >= 4;

/// Element k of a vector's lanes of rows.
template <class D, class Stored>
HWY_INLINE hn::Vec<D> column_of_rows(D d, const Stored* data, int64_t row_stride, int64_t k) {
  constexpr int64_t kCount = static_cast<int64_t>(hn::MaxLanes(D()));
  float lanes[kCount];
  for (int64_t lane = 0; lane < kCount; ++lane) {
    const uint32_t bits = data[lane * row_stride + k];
    lanes[lane] = float_from_bits(sizeof(Stored) == 4 ? bits : bits << 16);
  }
  return hn::LoadU(d, lanes);
}

/// Elements of a row that are transposed at a time: those of 128 bits.
template <class Stored>
constexpr int64_t kTransposed = sizeof(Stored) == 4 ? 4 : 8;

#if HWY_TARGET != HWY_SCALAR
/// Elements k .. k + kTransposed of a vector's lanes of rows: out[i] lane r = row r's element k + i.
template <class D>
HWY_INLINE void transpose_some(D d, const uint32_t* data, int64_t row_stride, hn::Vec<D> out[4]) {
  transpose_four(d, data, row_stride, out);
}
/// bf16 is transposed in pairs, which are taken apart afterwards: half the shuffles, and no widening loads.
template <class D>
HWY_INLINE void transpose_some(D d, const uint16_t* data, int64_t row_stride, hn::Vec<D> out[8]) {
  using V = hn::Vec<D>;
  const hn::RebindToUnsigned<D> d32;
  const BitsOf<V> high = hn::Set(d32, 0xffff0000u);
  V pairs[4];
  transpose_four(d, PairsOfRow{data}, row_stride, pairs);
  FTRUN_UNROLL
  for (int64_t i = 0; i < 4; ++i) {
    const BitsOf<V> bits = hn::BitCast(d32, pairs[i]);
    out[2 * i] = hn::BitCast(d, hn::ShiftLeft<16>(bits));
    out[2 * i + 1] = hn::BitCast(d, hn::And(bits, high));
  }
}
#endif

/// out[k][0 .. lanes) = rows' element k for k in [0, kc): transposes a vector's lanes of rows. Columns of out are kNr
/// apart.
template <class T, class Stored>
HWY_INLINE void transpose_rows(const Stored* data, int64_t row_stride, int64_t kc, float* out) {
  const Tag<T> d;
  int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kTransposes<T>) {
    for (; k + kTransposed<Stored> <= kc; k += kTransposed<Stored>) {
      Vec<T> v[kTransposed<Stored>];
      transpose_some(d, data + k, row_stride, v);
      FTRUN_UNROLL
      for (int64_t i = 0; i < kTransposed<Stored>; ++i) hn::StoreU(v[i], d, out + (k + i) * T::kNr);
    }
  }
#endif
  for (; k < kc; ++k) hn::StoreU(column_of_rows(d, data, row_stride, k), d, out + k * T::kNr);
}
/// The same for kVector rows.
template <class T, class Stored>
HWY_INLINE void transpose_vector(const Stored* data, int64_t row_stride, int64_t kc, float* out) {
  for (int64_t lane = 0; lane < T::kVector; lane += kLanesOf<T>) {
    transpose_rows<T>(data + lane * row_stride, row_stride, kc, out + lane);
  }
}

HWY_INLINE float element(const Matrix& matrix, int64_t row, int64_t column) {
  return reference::load_float(static_cast<const char*>(matrix.data), matrix.dtype, row * matrix.row_stride + column);
}

/// For lines that are read much later: a core has more misses to L2 in flight than to L1 (measured on Zen 4: 16 GB/s
/// against 10 with all levels asked for).
HWY_INLINE void prefetch_to_l2(const void* data) {
#if defined(__GNUC__)
  __builtin_prefetch(data, 0, 2);
#else
  hwy::Prefetch(static_cast<const char*>(data));
#endif
}

/// Asks for a part of a row that is read later: rows lie pages apart, which no prefetcher of the CPU follows.
HWY_INLINE void prefetch_span(const void* data, ftrun_dtype dtype, int64_t index, int64_t count) {
  const char* end = at(data, dtype, index + count);
  for (const char* line = at(data, dtype, index); line < end; line += 64) hwy::Prefetch(line);
}

/// Panels of b that are filled together when b is read by rows: neighbouring cache lines are then read together, where
/// one panel at a time would come back to each page for a single line.
constexpr int64_t kPanelsTogether = 8;
/// Rows of b to ask for ahead of their packing.
constexpr int64_t kPackAhead = 8;

/// Zeros in those vectors of a panel's row that its first `count` columns leave untouched.
template <class T>
HWY_INLINE void zero_rest(float* row, int64_t count) {
  const Tag<T> d;
  FTRUN_UNROLL
  for (int64_t i = kLanesOf<T>; i < T::kNr; i += kLanesOf<T>) {
    if (count <= i) hn::StoreU(hn::Zero(d), d, row + i);
  }
}

/// pack_b for b as it lies: rows of k. `panel_rows` >= kc: rows that each panel has room for.
template <class T>
HWY_INLINE void pack_b_rows(const Matrix& b, int64_t k0, int64_t kc, int64_t n0, int64_t nc, float* out,
                            int64_t panel_rows) {
  for (int64_t group = 0; group < nc; group += kPanelsTogether * T::kNr) {
    const int64_t last = HWY_MIN(nc, group + kPanelsTogether * T::kNr);
    for (int64_t k = 0; k < kc; ++k) {
      const char* in = at(b.data, b.dtype, (k0 + k) * b.row_stride + n0);
      if (k + kPackAhead < kc) prefetch_span(in, b.dtype, kPackAhead * b.row_stride + group, last - group);
      for (int64_t column = group; column < last; column += T::kNr) {
        float* row = out + column * panel_rows + k * T::kNr;
        const int64_t count = HWY_MIN(T::kNr, last - column);
        zero_rest<T>(row, count);
        widen_span(Tag<T>(), at(in, b.dtype, column), b.dtype, count, row);
      }
    }
  }
}

/// Packs b[k0, k0 + kc) x [n0, n0 + nc) into panels [kc][kNr]; columns beyond nc are zero.
template <class T>
HWY_INLINE void pack_b(const Matrix& b, int64_t k0, int64_t kc, int64_t n0, int64_t nc, float* out) {
  if (!b.transposed) return pack_b_rows<T>(b, k0, kc, n0, nc, out, kc);
  for (int64_t column = 0; column < nc; column += T::kNr, out += kc * T::kNr) {
    const int64_t count = HWY_MIN(T::kNr, nc - column);
    if (count < T::kNr) std::memset(out, 0, static_cast<size_t>(kc * T::kNr) * sizeof(float));
    for (int64_t half = 0; half < count; half += T::kVector) {
      const int64_t first = n0 + column + half;
      if (half + T::kVector <= count) {
        const char* data = at(b.data, b.dtype, first * b.row_stride + k0);
        if (b.dtype == FTRUN_F32) {
          transpose_vector<T>(reinterpret_cast<const uint32_t*>(data), b.row_stride, kc, out + half);
        } else {
          transpose_vector<T>(reinterpret_cast<const uint16_t*>(data), b.row_stride, kc, out + half);
        }
        continue;
      }
      for (int64_t lane = 0; lane < count - half; ++lane) {
        for (int64_t k = 0; k < kc; ++k) out[k * T::kNr + half + lane] = element(b, first + lane, k0 + k);
      }
    }
  }
}

/// Elements read at once when a panel of a is packed: kMr rounded up to whole vectors of the class.
template <class T>
constexpr int64_t kPanelRead = round_up(T::kMr, T::kVector);
/// Floats from one panel of a transposed block to the next; the gap takes what the last row's whole vector spills.
template <class T>
constexpr int64_t kPanelStride = T::kMr* T::kKc + kPanelRead<T>;

/// Packs a[m0, m0 + mc) x [k0, k0 + kc) for the micro-kernel; `out` has room for kMc * kAStride floats.
template <class T>
HWY_INLINE ABlock pack_a(const Matrix& a, int64_t m0, int64_t mc, int64_t k0, int64_t kc, float* out) {
  static_assert(T::kMc / T::kMr * kPanelStride<T> <= T::kMc * T::kAStride, "panels fit where rows do");
  if (!a.transposed) {
    for (int64_t row = 0; row < mc; ++row) {
      widen_span(at(a.data, a.dtype, (m0 + row) * a.row_stride + k0), a.dtype, kc, out + row * T::kAStride);
    }
    return {out, true, 1, 0};
  }
  // widen_span writes whole vectors: a panel's row k overwrites the spill of row k - 1's tail.
  for (int64_t k = 0; k < kc; ++k) {
    const char* in = at(a.data, a.dtype, (k0 + k) * a.row_stride + m0);
    // All but the last row are followed by more of the matrix, so a whole vector may be read.
    const bool may_read_on = k + 1 < kc && a.row_stride >= kPanelRead<T>;
    for (int64_t row = 0; row < mc; row += T::kMr) {
      const int64_t width = may_read_on ? kPanelRead<T> : HWY_MIN(static_cast<int64_t>(T::kMr), mc - row);
      widen_span(Tag<T>(), at(in, a.dtype, row), a.dtype, width, out + row / T::kMr * kPanelStride<T> + k * T::kMr);
    }
  }
  return {out, false, T::kMr, kPanelStride<T>};
}

/// The same by the kind of products; k_count is the whole K in elements, k0 and kc count packed elements.
template <class T>
HWY_INLINE void pack_b(F32Products, const Matrix& b, int64_t /*k_count*/, int64_t k0, int64_t kc, int64_t n0,
                       int64_t nc, float* out) {
  pack_b<T>(b, k0, kc, n0, nc, out);
}
template <class T>
HWY_INLINE ABlock pack_a(F32Products, const Matrix& a, int64_t /*k_count*/, int64_t m0, int64_t mc, int64_t k0,
                         int64_t kc, float* out) {
  return pack_a<T>(a, m0, mc, k0, kc, out);
}
/// Whether pack_b takes `matrix`, and its rows along k may be read as packed elements where they lie.
HWY_INLINE bool packs_as_columns(F32Products, const Matrix& /*matrix*/, int64_t /*k_count*/) { return true; }

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
