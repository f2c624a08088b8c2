// Gathers and scatters by row id, and causal_fill. scatter_add_rows sorts positions by id, so each table row has one
// writer.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/indexing.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/simd-inl.h"

#ifndef FTRUN_KERNELS_INDEXING_TYPES_
#define FTRUN_KERNELS_INDEXING_TYPES_
#include <algorithm>

#include "ftrun/cpp/reference_kernels/indexing.hpp"
#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {
struct GatherCall {
  const void* table;
  ftrun_dtype table_dtype;
  const int32_t* ids;
  void* y;
  ftrun_dtype y_dtype;
  int64_t tokens, columns;
};
/// positions[starts[v] .. starts[v + 1]) are the tokens of row v in order.
struct ScatterCall {
  const void* dy;
  ftrun_dtype dy_dtype;
  const int64_t* starts;
  const int32_t* positions;
  void* dtable;
  ftrun_dtype dtable_dtype;
  int64_t rows, columns;
  bool accumulate;
};
}  // namespace ftrun::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

void gather(Context& ctx, const GatherCall& call) {
  const int64_t grain = HWY_MAX(int64_t{1}, 65536 / HWY_MAX(int64_t{1}, call.columns));
  ctx.parallel.ranges(call.tokens, grain, [&](int64_t begin, int64_t end) {
    float block[kBlock];
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t i = 0; i < call.columns; i += kBlock) {
        const int64_t count = HWY_MIN(kBlock, call.columns - i);
        const int64_t from = call.ids[t] * call.columns + i, to = t * call.columns + i;
        const float* x = span(call.table, call.table_dtype, from, count, block);
        narrow_span(x, call.y_dtype, count, at(call.y, call.y_dtype, to));
      }
    }
  });
}

HWY_INLINE void scatter_row(const ScatterCall& call, int64_t v) {
  const F32 d;
  const int64_t first = call.starts[v], last = call.starts[v + 1];
  if (first == last && call.accumulate) return;
  float sums[kBlock], block[kBlock];
  for (int64_t i = 0; i < call.columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, call.columns - i);
    std::memset(sums, 0, sizeof(sums));
    const auto add = [&](const float* x) {
      for (int64_t j = 0; j < count; j += kLanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, x + j)), d, sums + j);
      }
    };
    for (int64_t p = first; p < last; ++p) {
      add(span(call.dy, call.dy_dtype, call.positions[p] * call.columns + i, count, block));
    }
    char* out = at(call.dtable, call.dtable_dtype, v * call.columns + i);
    if (call.accumulate) {
      widen_span(out, call.dtable_dtype, count, block);
      add(block);
    }
    narrow_span(sums, call.dtable_dtype, count, out);
  }
}

void scatter(Context& ctx, const ScatterCall& call) {
  const int64_t grain = HWY_MAX(int64_t{1}, 65536 / HWY_MAX(int64_t{1}, call.columns));
  ctx.parallel.ranges(call.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) scatter_row(call, v);
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {
HWY_EXPORT(gather);
HWY_EXPORT(scatter);
}  // namespace

using namespace reference;

void op_gather_rows(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const ftrun_view &table = call.inputs[0], &ids = call.inputs[1], &y = call.outputs[0];
  require_float(table, "table");
  require_float(y, "y");
  require_contiguous(table, "table");
  require_contiguous(y, "y");
  require(table.ndim == 2 && last_size(y) == last_size(table), "y and table must have the same last axis");
  require_ids(ids, row_count(y));
  require_ids_below(ids, table.shape[0]);
  const GatherCall work{bytes_of(table), table.dtype,  elements_of<int32_t>(ids), bytes_of(y),
                        y.dtype,         row_count(y), last_size(table)};
  HWY_DYNAMIC_DISPATCH(gather)(ctx, work);
}

void op_scatter_add_rows(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const bool accumulate = attributes_of<ftrun_accumulate_attributes>(call).accumulate != 0;
  const ftrun_view &dy = call.inputs[0], &ids = call.inputs[1], &dtable = call.outputs[0];
  require_float(dy, "dy");
  require_float(dtable, "dtable");
  require_contiguous(dy, "dy");
  require_contiguous(dtable, "dtable");
  require(dtable.ndim == 2 && last_size(dy) == last_size(dtable), "dy and dtable must have the same last axis");
  const int64_t rows = dtable.shape[0], tokens = row_count(dy);
  require_ids(ids, tokens);
  require_ids_below(ids, rows);
  const int32_t* id = elements_of<int32_t>(ids);

  // Counting sort, stable: starts[v + 1] is the fill position of row v while filling.
  const auto carve = [&](Carver& carver) {
    int64_t* starts = carver.take<int64_t>(rows + 2);
    return std::pair<int64_t*, int32_t*>(starts, carver.take<int32_t>(tokens + 1));
  };
  Carver measure(nullptr);
  carve(measure);
  Carver carver(ctx.scratch.shared(measure.bytes()));
  const auto [starts, positions] = carve(carver);
  std::fill(starts, starts + rows + 2, int64_t{0});
  for (int64_t t = 0; t < tokens; ++t) ++starts[id[t] + 2];
  for (int64_t v = 0; v < rows; ++v) starts[v + 2] += starts[v + 1];
  for (int64_t t = 0; t < tokens; ++t) positions[starts[id[t] + 1]++] = static_cast<int32_t>(t);
  const ScatterCall work{bytes_of(dy), dy.dtype,          starts,    positions, bytes_of(dtable), dtable.dtype,
                         rows,         last_size(dtable), accumulate};
  HWY_DYNAMIC_DISPATCH(scatter)(ctx, work);
}

// One element per row: not worth threads or SIMD.
void op_gather_last(Context&, const ftrun_op_call& call) { reference::op_gather_last(call); }
void op_add_at_last(Context&, const ftrun_op_call& call) { reference::op_add_at_last(call); }

void op_causal_fill(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const auto& attributes = attributes_of<ftrun_causal_fill_attributes>(call);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(y, "x");
  require_contiguous(y, "x");
  require(y.ndim == 2 && bytes_of(x) == bytes_of(y) && x.dtype == y.dtype && same_shape(x, y),
          "x must be [M, N] and the output its own view");
  const int64_t rows = y.shape[0], columns = y.shape[1];
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, columns));
  ctx.parallel.ranges(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i + attributes.row_offset - attributes.column_offset + 1;
      for (int64_t j = std::max<int64_t>(0, first); j < columns; ++j) {
        store_float(bytes_of(y), y.dtype, i * columns + j, static_cast<float>(attributes.value));
      }
    }
  });
}

}  // namespace ftrun::kernels
#endif
