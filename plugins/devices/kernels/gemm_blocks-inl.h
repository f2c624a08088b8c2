// The parallel GEMM of a class of CPUs: tiles of c over threads, each by the way that its shape and operands suit.
// Per-target code. Leaves out: the register tile (gemm_tile-inl.h), few rows of a or columns of b (gemm_thin-inl.h,
// gemm_rows-inl.h).
#if defined(FTRUN_KERNELS_GEMM_BLOCKS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef FTRUN_KERNELS_GEMM_BLOCKS_INL_H_
#undef FTRUN_KERNELS_GEMM_BLOCKS_INL_H_
#else
#define FTRUN_KERNELS_GEMM_BLOCKS_INL_H_
#endif

#include "plugins/devices/kernels/gemm_rows-inl.h"
#include "plugins/devices/kernels/gemm_thin-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// Below this many multiply-adds a tile is not worth a task of its own.
constexpr int64_t kMinTileWork = int64_t{1} << 19;

/// How c is cut into tasks.
struct TaskGrid {
  int64_t tile_m, tile_n, tiles_m, tiles_n;
};

/// Any grid gives the same bits, so it may follow the number of threads.
template <class T>
HWY_INLINE TaskGrid choose_grid(const GemmCall& call, int32_t threads) {
  TaskGrid grid{};
  int64_t parts_m = ceil_div(call.m, T::kMaxTileM), parts_n = ceil_div(call.n, T::kMaxTileN);
  while (true) {
    grid.tile_m = round_up(ceil_div(call.m, parts_m), T::kMr);
    grid.tile_n = round_up(ceil_div(call.n, parts_n), T::kNr);
    grid.tiles_m = ceil_div(call.m, grid.tile_m);
    grid.tiles_n = ceil_div(call.n, grid.tile_n);
    const int64_t tiles = grid.tiles_m * grid.tiles_n * call.batch;
    if (threads == 1 || tiles >= 4 * threads || grid.tile_m * grid.tile_n * call.k < 2 * kMinTileWork) return grid;
    if (grid.tile_m > T::kMc && grid.tile_m >= grid.tile_n) {
      ++parts_m;
    } else if (grid.tile_n > 2 * T::kNr) {
      ++parts_n;
    } else if (grid.tile_m > 4 * T::kMr) {
      ++parts_m;
    } else {
      return grid;
    }
  }
}

template <class D, class Stored>
HWY_INLINE hn::Vec<D> load_element(D d, const Stored* data) {
  if constexpr (sizeof(Stored) == 2) {
    return load_bf16(d, data);
  } else {
    return hn::LoadU(d, data);
  }
}
template <class D, class Stored>
HWY_INLINE void store_element(D d, hn::Vec<D> value, Stored* data) {
  if constexpr (sizeof(Stored) == 2) {
    store_bf16(value, data);
  } else {
    hn::StoreU(value, d, data);
  }
}

/// What is added to finished sums on their way into c.
struct Finish {
  float alpha;
  const float* bias;  ///< NULL: none
  bool adds;          ///< to what is in c
};

/// c[0, columns) from finished sums; a last partial vector goes through a buffer.
template <class T, class Stored>
HWY_INLINE void write_row(const float* sums, const Finish& finish, int64_t columns, Stored* c) {
  constexpr int64_t kWidth = kLanesOf<T>;
  const Tag<T> d;
  const Vec<T> alpha = hn::Set(d, finish.alpha);
  const auto finished = [&](int64_t i, const Stored* old) HWY_ATTR {
    Vec<T> value = hn::Mul(hn::LoadU(d, sums + i), alpha);
    if (finish.bias != nullptr) value = hn::Add(value, hn::LoadU(d, finish.bias + i));
    return finish.adds ? hn::Add(value, load_element(d, old)) : value;
  };
  int64_t i = 0;
  for (; i + kWidth <= columns; i += kWidth) store_element(d, finished(i, c + i), c + i);
  if (i == columns) return;
  Stored tail[kWidth] = {};
  const size_t bytes = static_cast<size_t>(columns - i) * sizeof(Stored);
  std::memcpy(tail, c + i, bytes);
  store_element(d, finished(i, tail), tail);
  std::memcpy(c + i, tail, bytes);
}

/// Rows of c to ask for ahead of their reading.
constexpr int64_t kRowsAhead = 4;

/// c[row0.., column0..] from the finished f32 sums.
template <class T>
HWY_INLINE void write_tile(const GemmCall& call, void* c, const float* sums, int64_t sums_stride, int64_t row0,
                           int64_t rows, int64_t column0, int64_t columns) {
  float bias_block[T::kMaxTileN + kLanes];
  Finish finish = {call.alpha, nullptr, call.output == GemmOutput::kAdd};
  if (call.bias != nullptr) {
    widen_span(at(call.bias, call.bias_dtype, column0), call.bias_dtype, columns, bias_block);
    finish.bias = bias_block;
  }
  for (int64_t row = 0; row < rows; ++row) {
    char* c_row = at(c, call.c_dtype, (row0 + row) * call.c_row_stride + column0);
    const float* in = sums + row * sums_stride;
    if (finish.adds && row + kRowsAhead < rows) {
      prefetch_span(c_row, call.c_dtype, kRowsAhead * call.c_row_stride, columns);
    }
    if (call.c_dtype == FTRUN_F32) {
      write_row<T>(in, finish, columns, reinterpret_cast<float*>(c_row));
    } else {
      write_row<T>(in, finish, columns, reinterpret_cast<uint16_t*>(c_row));
    }
  }
}

/// What a task needs beside its operands, cut from the thread's scratch.
struct TileScratch {
  float *a, *b, *sums;
};
template <class T>
HWY_INLINE TileScratch carve_tile(Carver& carver) {
  static_assert(T::kFewRowsKc * round_up(T::kFewRows, T::kNr) <= T::kKc * T::kMaxTileN,
                "few rows' panels of a fit where those of b are packed");
  static_assert(T::kMaxTileN * round_up(T::kFewRows, T::kNr) <= T::kMc * T::kAStride,
                "few rows' sums are turned in a's place");
  static_assert(2 * T::kMaxTileM * T::kNr <= T::kMaxTileM * T::kMaxTileN && T::kMaxTileN <= T::kMaxTileM,
                "turned_product's both kinds of sums fit");
  TileScratch scratch{};
  scratch.a = carver.take<float>(T::kMc * T::kAStride + kLanes);
  scratch.b = carver.take<float>(T::kKc * T::kMaxTileN + kLanes);
  scratch.sums = carver.take<float>(T::kMaxTileM * T::kMaxTileN);
  return scratch;
}

/// sums[rows, columns] by packed panels; a and b are the operands of this batch element. Calls finish(first row, rows)
/// for rows whose sums are complete, while they are still in the cache.
template <class T, class Products, class Finished>
HWY_INLINE void packed_product(const Matrix& a, const Matrix& b, int64_t k_count, int64_t row0, int64_t rows,
                               int64_t column0, int64_t columns, const TileScratch& scratch, const TileSums& sums,
                               const Finished& finish) {
  const int64_t elements = ceil_div(k_count, Products::kPerElement);
  for (int64_t k0 = 0; k0 < elements; k0 += T::kKc) {
    const int64_t kc = HWY_MIN(T::kKc, elements - k0);
    pack_b<T>(Products(), b, k_count, k0, kc, column0, columns, scratch.b);
    for (int64_t row = 0; row < rows; row += T::kMc) {
      const int64_t mc = HWY_MIN(T::kMc, rows - row);
      const ABlock block = pack_a<T>(Products(), a, k_count, row0 + row, mc, k0, kc, scratch.a);
      block_product<T, Products>(block, mc, scratch.b, columns, kc, sums.data + row * sums.stride, sums.stride,
                                 sums.start_from_c || k0 > 0, sums.columns_exact);
      if (k0 + kc == elements) finish(row, mc);
    }
  }
}

/// Whether turned_product takes it: few columns, both operands rows of k, and an a that packs as columns do.
template <class T, class Products>
HWY_INLINE bool takes_turned(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns, int64_t k_count) {
  return columns <= T::kTurnedColumns && rows >= T::kTurnedRows && a.transposed && !b.transposed &&
         packs_as_columns(Products(), rows_as_columns(a), k_count);
}

/// sums[rows, columns] = a b as b^T a^T, turned at the end: where both lie as rows of k, the long side packs well as
/// columns and badly as rows. The sums [columns][kMaxTileN] lie behind those of the tile.
template <class T, class Products>
HWY_INLINE void turned_product(const Matrix& a, const Matrix& b, int64_t k_count, int64_t row0, int64_t rows,
                               int64_t columns, const TileScratch& scratch, const TileSums& sums) {
  const Matrix turned_b = {b.data, b.dtype, b.row_stride, true};
  for (int64_t row = 0; row < rows; row += T::kMaxTileN) {
    const int64_t count = HWY_MIN(T::kMaxTileN, rows - row);
    const TileSums turned = {scratch.sums + T::kMaxTileM * T::kNr, T::kMaxTileN, sums.start_from_c, false};
    float* to = sums.data + row * sums.stride;
    if (sums.start_from_c) turn_sums<T>(to, sums.stride, columns, count, turned.data, turned.stride);
    packed_product<T, Products>(turned_b, rows_as_columns(a), k_count, 0, columns, row0 + row, count, scratch, turned,
                                [](int64_t, int64_t) {});
    turn_sums<T>(turned.data, turned.stride, count, columns, to, sums.stride);
  }
}

template <class T, class Products>
HWY_INLINE void compute_tile(const GemmCall& call, const TaskGrid& grid, int64_t index, char* scratch_base) {
  Carver carver(scratch_base);
  const TileScratch scratch = carve_tile<T>(carver);
  const int64_t tile = index % (grid.tiles_m * grid.tiles_n), batch = index / (grid.tiles_m * grid.tiles_n);
  // Neighbouring tasks share columns of b.
  const int64_t row0 = tile % grid.tiles_m * grid.tile_m, column0 = tile / grid.tiles_m * grid.tile_n;
  const int64_t rows = HWY_MIN(grid.tile_m, call.m - row0), columns = HWY_MIN(grid.tile_n, call.n - column0);
  Matrix a = call.a, b = call.b;
  a.data = at(a.data, a.dtype, batch * call.a_batch);
  b.data = at(b.data, b.dtype, batch * call.b_batch);
  void* c = at(call.c, call.c_dtype, batch * call.c_batch);

  const bool direct = call.c_dtype == FTRUN_F32 && call.output != GemmOutput::kAdd && call.bias == nullptr &&
                      !(call.alpha < 1.0f || call.alpha > 1.0f);
  TileSums sums{scratch.sums, round_up(columns, T::kNr), call.output == GemmOutput::kContinue, direct};
  if (direct) {
    sums.data = static_cast<float*>(c) + row0 * call.c_row_stride + column0;
    sums.stride = call.c_row_stride;
  }
  const auto finish = [&](int64_t row, int64_t count) HWY_ATTR {
    if (!direct)
      write_tile<T>(call, c, sums.data + row * sums.stride, sums.stride, row0 + row, count, column0, columns);
  };
  const int64_t done = thin_columns<T, Products>(call, a, b, column0, columns, scratch.a, sums);
  if (done == columns) return finish(0, rows);
  if (done == 0 && takes_few_rows<T, Products>(a, b, rows, call.k)) {
    few_rows_product<T, Products>(a, b, call.k, row0, rows, column0, columns, scratch.b, scratch.a, sums.data,
                                  sums.stride, sums.start_from_c);
    return finish(0, rows);
  }
  if (takes_few_columns<T, Products>(a, call.n, call.k, direct)) {
    few_columns_product<T, Products>(a, b, call.k, row0, rows, columns, scratch.b, sums.data, sums.stride,
                                     sums.start_from_c);
    return finish(0, rows);
  }
  if (takes_turned<T, Products>(a, b, rows, call.n, call.k)) {
    turned_product<T, Products>(a, b, call.k, row0, rows, columns, scratch, sums);
    return finish(0, rows);
  }
  TileSums rest = sums;
  rest.data += done;
  packed_product<T, Products>(a, b, call.k, row0, rows, column0 + done, columns - done, scratch, rest, finish);
}

/// K = 0: the sum is empty.
template <class T>
HWY_INLINE void empty_sum(const GemmCall& call, const TaskGrid& grid, int64_t index, char* scratch_base) {
  if (call.output == GemmOutput::kContinue) return;
  Carver carver(scratch_base);
  float* sums = carve_tile<T>(carver).sums;
  std::memset(sums, 0, static_cast<size_t>(T::kMaxTileM * T::kMaxTileN) * sizeof(float));
  const int64_t tile = index % (grid.tiles_m * grid.tiles_n), batch = index / (grid.tiles_m * grid.tiles_n);
  const int64_t row0 = tile % grid.tiles_m * grid.tile_m, column0 = tile / grid.tiles_m * grid.tile_n;
  write_tile<T>(call, at(call.c, call.c_dtype, batch * call.c_batch), sums, grid.tile_n, row0,
                HWY_MIN(grid.tile_m, call.m - row0), column0, HWY_MIN(grid.tile_n, call.n - column0));
}

/// The product by the tiles of T; `call` suits the kind of products (gemm.h).
template <class T, class Products>
HWY_INLINE void gemm_with(Context& ctx, const GemmCall& call) {
  if (call.m == 0 || call.n == 0 || call.batch == 0) return;
  Carver measure(nullptr);
  carve_tile<T>(measure);
  reserve_thread_scratch(ctx, measure.bytes());
  const TaskGrid grid = choose_grid<T>(call, ctx.parallel.thread_count());
  ctx.parallel.run(grid.tiles_m * grid.tiles_n * call.batch, [&](int64_t index) {
    char* scratch = ctx.scratch.thread(ctx.parallel.thread_index());
    if (call.k == 0) return empty_sum<T>(call, grid, index, scratch);
    compute_tile<T, Products>(call, grid, index, scratch);
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target guard
