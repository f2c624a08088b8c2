// The parallel GEMM: tiles of c over threads, panels of a and b packed per tile. Leaves out: the register tile
// (gemm_tile-inl.h) and few rows of a (gemm_rows-inl.h).
#include "plugins/devices/kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/gemm.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/gemm_pairs-inl.h"
#include "plugins/devices/kernels/gemm_rows-inl.h"
#include "plugins/devices/kernels/gemm_tile-inl.h"
#include "plugins/devices/kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// Largest tile of c: kMaxTileN columns of b stay in L3, and packing a is paid once per kMaxTileN columns.
constexpr int64_t kMaxTileM = 1152;
constexpr int64_t kMaxTileN = 512;
/// Below this many multiply-adds a tile is not worth a task of its own.
constexpr int64_t kMinTileWork = int64_t{1} << 19;

struct Tiling {
  int64_t tile_m, tile_n, tiles_m, tiles_n;
};

/// Any tiling gives the same bits, so it may follow the number of threads.
HWY_INLINE Tiling choose_tiling(const GemmCall& call, int32_t threads) {
  Tiling t{};
  int64_t parts_m = ceil_div(call.m, kMaxTileM), parts_n = ceil_div(call.n, kMaxTileN);
  while (true) {
    t.tile_m = round_up(ceil_div(call.m, parts_m), kMr);
    t.tile_n = round_up(ceil_div(call.n, parts_n), kNr);
    t.tiles_m = ceil_div(call.m, t.tile_m);
    t.tiles_n = ceil_div(call.n, t.tile_n);
    const int64_t tiles = t.tiles_m * t.tiles_n * call.batch;
    if (threads == 1 || tiles >= 4 * threads || t.tile_m * t.tile_n * call.k < 2 * kMinTileWork) return t;
    if (t.tile_m > kMc && t.tile_m >= t.tile_n) {
      ++parts_m;
    } else if (t.tile_n > 2 * kNr) {
      ++parts_n;
    } else if (t.tile_m > 4 * kMr) {
      ++parts_m;
    } else {
      return t;
    }
  }
}

template <class T>
HWY_INLINE VF load_element(const T* data) {
  if constexpr (sizeof(T) == 2) {
    return load_bf16(data);
  } else {
    return hn::LoadU(F32(), data);
  }
}
template <class T>
HWY_INLINE void store_element(VF value, T* data) {
  if constexpr (sizeof(T) == 2) {
    store_bf16(value, data);
  } else {
    hn::StoreU(value, F32(), data);
  }
}

/// c[0, columns) from finished sums; a last partial vector goes through a buffer.
template <class T>
HWY_INLINE void write_row(const float* sums, const float* bias, VF alpha, bool adds, int64_t columns, T* c) {
  const F32 d;
  const auto finished = [&](int64_t i, const T* old) HWY_ATTR {
    VF value = hn::Mul(hn::LoadU(d, sums + i), alpha);
    if (bias != nullptr) value = hn::Add(value, hn::LoadU(d, bias + i));
    return adds ? hn::Add(value, load_element(old)) : value;
  };
  int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) store_element(finished(i, c + i), c + i);
  if (i == columns) return;
  T tail[kLanes] = {};
  const size_t bytes = static_cast<size_t>(columns - i) * sizeof(T);
  std::memcpy(tail, c + i, bytes);
  store_element(finished(i, tail), tail);
  std::memcpy(c + i, tail, bytes);
}

/// Rows of c to ask for ahead of their reading.
constexpr int64_t kRowsAhead = 4;

/// c[row0.., column0..] from the finished f32 sums.
HWY_INLINE void write_tile(const GemmCall& call, void* c, const float* sums, int64_t sums_stride, int64_t row0,
                           int64_t rows, int64_t column0, int64_t columns) {
  const VF alpha = hn::Set(F32(), call.alpha);
  float bias_block[kMaxTileN + kLanes];
  const float* bias = nullptr;
  if (call.bias != nullptr) {
    widen_span(at(call.bias, call.bias_dtype, column0), call.bias_dtype, columns, bias_block);
    bias = bias_block;
  }
  const bool adds = call.output == GemmOutput::kAdd;
  for (int64_t row = 0; row < rows; ++row) {
    char* c_row = at(c, call.c_dtype, (row0 + row) * call.c_row_stride + column0);
    const float* in = sums + row * sums_stride;
    if (adds && row + kRowsAhead < rows) prefetch_span(c_row, call.c_dtype, kRowsAhead * call.c_row_stride, columns);
    if (call.c_dtype == FTRUN_F32) {
      write_row(in, bias, alpha, adds, columns, reinterpret_cast<float*>(c_row));
    } else {
      write_row(in, bias, alpha, adds, columns, reinterpret_cast<uint16_t*>(c_row));
    }
  }
}

struct TileScratch {
  float *a, *b, *sums;
};
static_assert(kMaxTileN * round_up(kFewRows, kNr) <= kMc * kAStride, "few rows' sums are turned in a's place");
HWY_INLINE TileScratch carve_tile(Carver& carver) {
  TileScratch scratch{};
  scratch.a = carver.take<float>(kMc * kAStride + kLanes);
  scratch.b = carver.take<float>(kKc * kMaxTileN + kLanes);
  scratch.sums = carver.take<float>(kMaxTileM * kMaxTileN);
  return scratch;
}

/// Where a task's sums go: c itself or a scratch tile.
struct TileSums {
  float* data;
  int64_t stride;
  bool start_from_c;   ///< the sums continue what is there
  bool columns_exact;  ///< no room for whole panels of columns
};

/// sums[rows, columns] by packed panels; a and b are the operands of this batch element. Calls finish(first row, rows)
/// for rows whose sums are complete, while they are still in the cache.
template <class Products, class Finish>
HWY_INLINE void packed_product(const Matrix& a, const Matrix& b, int64_t k_count, int64_t row0, int64_t rows,
                               int64_t column0, int64_t columns, const TileScratch& scratch, const TileSums& sums,
                               const Finish& finish) {
  const int64_t elements = ceil_div(k_count, Products::kPerElement);
  for (int64_t k0 = 0; k0 < elements; k0 += kKc) {
    const int64_t kc = HWY_MIN(kKc, elements - k0);
    pack_b(Products(), b, k_count, k0, kc, column0, columns, scratch.b);
    for (int64_t row = 0; row < rows; row += kMc) {
      const int64_t mc = HWY_MIN(kMc, rows - row);
      const ABlock block = pack_a(Products(), a, k_count, row0 + row, mc, k0, kc, scratch.a);
      block_product<Products>(block, mc, scratch.b, columns, kc, sums.data + row * sums.stride, sums.stride,
                              sums.start_from_c || k0 > 0, sums.columns_exact);
      if (k0 + kc == elements) finish(row, mc);
    }
  }
}

/// Up to kThinRows rows of a over whole panels of b's rows. a_stride and k_count count packed elements.
constexpr int64_t kThinRows = 4;
template <class Products, int R, class T>
HWY_INLINE void thin_rows(const float* a, int64_t a_stride, const Matrix& b, int64_t k_count, int64_t column0,
                          int64_t columns, const TileSums& sums) {
  // Each sum is one chain: fewer rows need more columns at a time to keep the multipliers busy.
  constexpr int V = R <= 2 ? 4 : 2;
  const T* data = static_cast<const T*>(b.data) + column0 * b.row_stride;
  int64_t column = 0;
  for (; column + V * kLanes <= columns; column += V * kLanes) {
    thin_panel<Products, R, V, T>(a, a_stride, data + column * b.row_stride, b.row_stride, k_count, sums.data + column,
                                  sums.stride, sums.start_from_c);
  }
  for (; column < columns; column += kNr) {
    thin_panel<Products, R, 2, T>(a, a_stride, data + column * b.row_stride, b.row_stride, k_count, sums.data + column,
                                  sums.stride, sums.start_from_c);
  }
}
template <class Products, class T>
HWY_INLINE void thin_product(const float* a, int64_t a_stride, int64_t rows, const Matrix& b, int64_t k_count,
                             int64_t column0, int64_t columns, const TileSums& sums) {
  switch (rows) {
    case 1:
      return thin_rows<Products, 1, T>(a, a_stride, b, k_count, column0, columns, sums);
    case 2:
      return thin_rows<Products, 2, T>(a, a_stride, b, k_count, column0, columns, sums);
    case 3:
      return thin_rows<Products, 3, T>(a, a_stride, b, k_count, column0, columns, sums);
    default:
      return thin_rows<Products, 4, T>(a, a_stride, b, k_count, column0, columns, sums);
  }
}

/// Takes the whole panels of columns when the call has few rows (decoding); returns how many columns it did.
template <class Products>
HWY_INLINE int64_t thin_columns(const GemmCall& call, const Matrix& a, const Matrix& b, int64_t column0,
                                int64_t columns, const TileScratch& scratch, const TileSums& sums) {
  const int64_t packed = ceil_div(call.k, Products::kPerElement);
  const int64_t a_stride = round_up(packed, kLanes), whole = columns / kNr * kNr;
  if (call.m > kThinRows || !b.transposed || a.transposed || whole == 0 || call.m * a_stride > kMc * kAStride) return 0;
  for (int64_t row = 0; row < call.m; ++row) thin_a_row(Products(), a, row, call.k, scratch.a + row * a_stride);
  if constexpr (Products::kPerElement == 1) {
    if (b.dtype == FTRUN_F32) {
      thin_product<Products, uint32_t>(scratch.a, a_stride, call.m, b, packed, column0, whole, sums);
      return whole;
    }
  }
  thin_product<Products, uint16_t>(scratch.a, a_stride, call.m, b, packed, column0, whole, sums);
  return whole;
}

/// Whether turned_product takes it: few columns, both operands rows of k.
HWY_INLINE bool takes_turned(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns) {
  return columns <= kNr && rows > 2 * kNr && a.transposed && !b.transposed;
}

/// sums[rows, columns] = a b as b^T a^T, turned at the end: where both lie as rows of k, the long side packs well as
/// columns and badly as rows. The sums [columns][kMaxTileN] lie behind those of the tile.
template <class Products>
HWY_INLINE void turned_product(const Matrix& a, const Matrix& b, int64_t k_count, int64_t row0, int64_t rows,
                               int64_t columns, const TileScratch& scratch, const TileSums& sums) {
  const Matrix turned_a = {a.data, a.dtype, a.row_stride, false}, turned_b = {b.data, b.dtype, b.row_stride, true};
  for (int64_t row = 0; row < rows; row += kMaxTileN) {
    const int64_t count = HWY_MIN(kMaxTileN, rows - row);
    const TileSums turned = {scratch.sums + kMaxTileM * kNr, kMaxTileN, sums.start_from_c, false};
    float* to = sums.data + row * sums.stride;
    if (sums.start_from_c) turn_sums(to, sums.stride, columns, count, turned.data, turned.stride);
    packed_product<Products>(turned_b, turned_a, k_count, 0, columns, row0 + row, count, scratch, turned,
                             [](int64_t, int64_t) {});
    turn_sums(turned.data, turned.stride, count, columns, to, sums.stride);
  }
}
static_assert(2 * kMaxTileM * kNr <= kMaxTileM * kMaxTileN && kMaxTileN <= kMaxTileM, "both kinds of sums fit");

template <class Products>
HWY_INLINE void compute_tile(const GemmCall& call, const Tiling& tiling, int64_t index, char* scratch_base) {
  Carver carver(scratch_base);
  const TileScratch scratch = carve_tile(carver);
  const int64_t tile = index % (tiling.tiles_m * tiling.tiles_n), batch = index / (tiling.tiles_m * tiling.tiles_n);
  // Neighbouring tasks share columns of b.
  const int64_t row0 = tile % tiling.tiles_m * tiling.tile_m, column0 = tile / tiling.tiles_m * tiling.tile_n;
  const int64_t rows = HWY_MIN(tiling.tile_m, call.m - row0), columns = HWY_MIN(tiling.tile_n, call.n - column0);
  Matrix a = call.a, b = call.b;
  a.data = at(a.data, a.dtype, batch * call.a_batch);
  b.data = at(b.data, b.dtype, batch * call.b_batch);
  void* c = at(call.c, call.c_dtype, batch * call.c_batch);

  const bool direct = call.c_dtype == FTRUN_F32 && call.output != GemmOutput::kAdd && call.bias == nullptr &&
                      !(call.alpha < 1.0f || call.alpha > 1.0f);
  TileSums sums{scratch.sums, round_up(columns, kNr), call.output == GemmOutput::kContinue, direct};
  if (direct) {
    sums.data = static_cast<float*>(c) + row0 * call.c_row_stride + column0;
    sums.stride = call.c_row_stride;
  }
  const auto finish = [&](int64_t row, int64_t count) HWY_ATTR {
    if (!direct) write_tile(call, c, sums.data + row * sums.stride, sums.stride, row0 + row, count, column0, columns);
  };
  const int64_t done = thin_columns<Products>(call, a, b, column0, columns, scratch, sums);
  if (done == columns) return finish(0, rows);
  if (done == 0 && takes_few_rows<Products>(a, b, rows, call.k)) {
    few_rows_product<Products>(a, b, call.k, row0, rows, column0, columns, scratch.b, scratch.a, sums.data, sums.stride,
                               sums.start_from_c);
    return finish(0, rows);
  }
  if (takes_few_columns<Products>(a, call.n, call.k, direct)) {
    few_columns_product<Products>(a, b, call.k, row0, rows, columns, scratch.b, sums.data, sums.stride,
                                  sums.start_from_c);
    return finish(0, rows);
  }
  if (takes_turned(a, b, rows, call.n)) {
    turned_product<Products>(a, b, call.k, row0, rows, columns, scratch, sums);
    return finish(0, rows);
  }
  TileSums rest = sums;
  rest.data += done;
  packed_product<Products>(a, b, call.k, row0, rows, column0 + done, columns - done, scratch, rest, finish);
}

/// K = 0: the sum is empty.
HWY_INLINE void empty_sum(const GemmCall& call, const Tiling& tiling, int64_t index, char* scratch_base) {
  if (call.output == GemmOutput::kContinue) return;
  Carver carver(scratch_base);
  float* sums = carve_tile(carver).sums;
  std::memset(sums, 0, static_cast<size_t>(kMaxTileM * kMaxTileN) * sizeof(float));
  const int64_t tile = index % (tiling.tiles_m * tiling.tiles_n), batch = index / (tiling.tiles_m * tiling.tiles_n);
  const int64_t row0 = tile % tiling.tiles_m * tiling.tile_m, column0 = tile / tiling.tiles_m * tiling.tile_n;
  write_tile(call, at(call.c, call.c_dtype, batch * call.c_batch), sums, tiling.tile_n, row0,
             HWY_MIN(tiling.tile_m, call.m - row0), column0, HWY_MIN(tiling.tile_n, call.n - column0));
}

template <class Products>
HWY_INLINE void gemm_with(Context& ctx, const GemmCall& call) {
  if (call.m == 0 || call.n == 0 || call.batch == 0) return;
  Carver measure(nullptr);
  carve_tile(measure);
  reserve_thread_scratch(ctx, measure.bytes());
  const Tiling tiling = choose_tiling(call, ctx.parallel.thread_count());
  ctx.parallel.run(tiling.tiles_m * tiling.tiles_n * call.batch, [&](int64_t index) {
    char* scratch = ctx.scratch.thread(ctx.parallel.thread_index());
    if (call.k == 0) return empty_sum(call, tiling, index, scratch);
    compute_tile<Products>(call, tiling, index, scratch);
  });
}

void gemm_f32(Context& ctx, const GemmCall& call) { gemm_with<F32Products>(ctx, call); }
void gemm_pairs(Context& ctx, const GemmCall& call) { gemm_with<Bf16Pairs<false>>(ctx, call); }
void gemm_native_pairs(Context& ctx, const GemmCall& call) { gemm_with<Bf16Pairs<true>>(ctx, call); }

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
HWY_EXPORT(gemm_f32);
HWY_EXPORT(gemm_pairs);
HWY_EXPORT(gemm_native_pairs);

void gemm(Context& ctx, const GemmCall& call) {
  const bool is_bf16 = call.b.dtype == FTRUN_BF16 && (call.a.dtype == FTRUN_BF16 || call.round_a);
  const bool has_whole_pairs = !call.b.transposed || (call.k % 2 == 0 && call.b.row_stride % 2 == 0);
  const Bf16Products products = is_bf16 && has_whole_pairs ? bf16_products() : Bf16Products::kWidened;
  switch (products) {
    case Bf16Products::kWidened:
      return HWY_DYNAMIC_DISPATCH(gemm_f32)(ctx, call);
    case Bf16Products::kPairs:
      return HWY_DYNAMIC_DISPATCH(gemm_pairs)(ctx, call);
    case Bf16Products::kNativePairs:
      return HWY_DYNAMIC_DISPATCH(gemm_native_pairs)(ctx, call);
  }
}
}  // namespace ftrun::kernels
#endif
