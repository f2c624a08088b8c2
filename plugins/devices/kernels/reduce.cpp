// Reductions. Orders: sum_last by lanes then across lanes, sum_rows by row, sum_all and sum_squares as ops.h says.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/reduce.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/simd-inl.h"

#ifndef FTRUN_KERNELS_REDUCE_TYPES_
#define FTRUN_KERNELS_REDUCE_TYPES_
#include <algorithm>

#include "ftrun/cpp/reference_kernels/reductions.hpp"
#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {
struct RowReduction {
  const void* x;
  ftrun_dtype x_dtype;
  int64_t rows, columns;
  void* y;
  ftrun_dtype y_dtype;
  bool accumulate;
};
struct RankSum {
  const ftrun_view* inputs;
  int32_t n_inputs;
  void* y;
  ftrun_dtype y_dtype;
  int64_t count;
};
}  // namespace ftrun::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

HWY_INLINE float row_sum(const void* x, ftrun_dtype dtype, int64_t index, int64_t columns) {
  const F32 d;
  float block[kBlock];
  VF sum = hn::Zero(d);
  for (int64_t i = 0; i < columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, columns - i);
    const float* values = span(x, dtype, index + i, count, block);
    for (int64_t j = 0; j < count; j += kLanes) sum = hn::Add(sum, hn::LoadU(d, values + j));
  }
  return sum_lanes(sum);
}

HWY_INLINE float row_max(const void* x, ftrun_dtype dtype, int64_t index, int64_t columns) {
  const F32 d;
  float block[kBlock];
  VF result = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, columns - i);
    const float* values = span(x, dtype, index + i, count, block);
    int64_t j = 0;
    for (; j + kLanes <= count; j += kLanes) result = max_of(result, hn::LoadU(d, values + j));
    for (; j < count; ++j) result = max_of(result, hn::Set(d, values[j]));
  }
  return max_lanes(result);
}

void reduce_rows(Context& ctx, const RowReduction& call, bool maximum) {
  const int64_t grain = HWY_MAX(int64_t{1}, 65536 / HWY_MAX(int64_t{1}, call.columns));
  ctx.parallel.ranges(call.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t index = row * call.columns;
      static_cast<float*>(call.y)[row] = maximum ? row_max(call.x, call.x_dtype, index, call.columns)
                                                 : row_sum(call.x, call.x_dtype, index, call.columns);
    }
  });
}

void sum_over_rows(Context& ctx, const RowReduction& call) {
  constexpr int64_t kColumns = 64;
  ctx.parallel.ranges(call.columns, kColumns, [&](int64_t begin, int64_t end) {
    const F32 d;
    float sums[kColumns] = {}, block[kColumns];
    const int64_t count = end - begin;
    for (int64_t row = 0; row < call.rows; ++row) {
      const float* x = span(call.x, call.x_dtype, row * call.columns + begin, count, block);
      for (int64_t j = 0; j < count; j += kLanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, x + j)), d, sums + j);
      }
    }
    char* y = at(call.y, call.y_dtype, begin);
    if (call.accumulate) {
      widen_span(y, call.y_dtype, count, block);
      for (int64_t j = 0; j < count; j += kLanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, block + j)), d, sums + j);
      }
    }
    narrow_span(sums, call.y_dtype, count, y);
  });
}

void sum_of_ranks(Context& ctx, const RankSum& call) {
  ctx.parallel.ranges(call.count, 32768, [&](int64_t begin, int64_t end) {
    const F32 d;
    float sums[kBlock], block[kBlock];
    for (int64_t i = begin; i < end; i += kBlock) {
      const int64_t count = HWY_MIN(kBlock, end - i);
      widen_span(at(reference::bytes_of(call.inputs[0]), call.inputs[0].dtype, i), call.inputs[0].dtype, count, sums);
      for (int32_t rank = 1; rank < call.n_inputs; ++rank) {
        const float* x = span(reference::bytes_of(call.inputs[rank]), call.inputs[rank].dtype, i, count, block);
        for (int64_t j = 0; j < count; j += kLanes) {
          hn::StoreU(hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, x + j)), d, sums + j);
        }
      }
      narrow_span(sums, call.y_dtype, count, at(call.y, call.y_dtype, i));
    }
  });
}

/// partial[b] = f64 sum over block b of x (or x^2), in order within each block. Eight blocks run side by side, because
/// one in-order chain would wait for the adder.
HWY_INLINE void eight_blocks(const float* x, bool square, double* partial) {
  double sums[8] = {};
  for (int64_t i = 0; i < reference::kSumBlock; ++i) {
    FTRUN_UNROLL
    for (int64_t b = 0; b < 8; ++b) {
      const double value = static_cast<double>(x[b * reference::kSumBlock + i]);
      sums[b] += square ? value * value : value;
    }
  }
  std::memcpy(partial, sums, sizeof(sums));
}

void block_sums(Context& ctx, const RowReduction& call, bool square, double* partial) {
  constexpr int64_t kGroup = 8 * reference::kSumBlock;
  ctx.parallel.ranges(call.columns, kGroup, [&](int64_t begin, int64_t end) {
    float values[kGroup];
    widen_span(at(call.x, call.x_dtype, begin), call.x_dtype, end - begin, values);
    if (end - begin == kGroup) return eight_blocks(values, square, partial + begin / reference::kSumBlock);
    for (int64_t block = 0; block * reference::kSumBlock < end - begin; ++block) {
      double sum = 0.0;
      for (int64_t i = block * reference::kSumBlock; i < HWY_MIN(end - begin, (block + 1) * reference::kSumBlock);
           ++i) {
        const double value = static_cast<double>(values[i]);
        sum += square ? value * value : value;
      }
      partial[begin / reference::kSumBlock + block] = sum;
    }
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {

HWY_EXPORT(reduce_rows);
HWY_EXPORT(sum_over_rows);
HWY_EXPORT(sum_of_ranks);
HWY_EXPORT(block_sums);

using namespace reference;

RowReduction row_reduction(const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(x, "x");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  return {bytes_of(x), x.dtype, row_count(x), last_size(x), bytes_of(y), y.dtype, false};
}

RowReduction last_reduction(const ftrun_op_call& call) {
  const RowReduction work = row_reduction(call);
  require_dtype(call.outputs[0], FTRUN_F32, "y");
  require(call.inputs[0].ndim >= 1 && element_count(call.outputs[0]) == work.rows,
          "y must have x's shape without the last axis");
  return work;
}

/// x as one row of all elements.
RowReduction flat_reduction(const ftrun_op_call& call) {
  RowReduction work = row_reduction(call);
  work.columns *= work.rows;
  work.rows = 1;
  return work;
}

}  // namespace

void op_sum_last(Context& ctx, const ftrun_op_call& call) {
  const RowReduction work = last_reduction(call);
  HWY_DYNAMIC_DISPATCH(reduce_rows)(ctx, work, false);
}

void op_max_last(Context& ctx, const ftrun_op_call& call) {
  const RowReduction work = last_reduction(call);
  require(work.columns > 0, "max_last of an empty axis");
  HWY_DYNAMIC_DISPATCH(reduce_rows)(ctx, work, true);
}

void op_sum_rows(Context& ctx, const ftrun_op_call& call) {
  RowReduction work = row_reduction(call);
  require_float(call.outputs[0], "y");
  require(element_count(call.outputs[0]) == work.columns, "y must have x's last axis");
  work.accumulate = attributes_of<ftrun_accumulate_attributes>(call).accumulate != 0;
  HWY_DYNAMIC_DISPATCH(sum_over_rows)(ctx, work);
}

void op_sum_all(Context& ctx, const ftrun_op_call& call) {
  const RowReduction work = flat_reduction(call);
  require_dtype(call.outputs[0], FTRUN_F32, "y");
  require(element_count(call.outputs[0]) == 1, "y must have one element");
  const int64_t blocks = ceil_div(work.columns, kSumBlock);
  double* partial = reinterpret_cast<double*>(ctx.scratch.shared(static_cast<uint64_t>(blocks + 1) * sizeof(double)));
  HWY_DYNAMIC_DISPATCH(block_sums)(ctx, work, false, partial);
  double total = 0.0;
  for (int64_t block = 0; block < blocks; ++block) total += partial[block];
  *static_cast<float*>(work.y) = static_cast<float>(total);
}

void op_sum_squares(Context& ctx, const ftrun_op_call& call) {
  const RowReduction work = flat_reduction(call);
  require_dtype(call.outputs[0], FTRUN_F64, "y");
  const int64_t blocks = ceil_div(work.columns, kSumBlock);
  require(element_count(call.outputs[0]) == blocks,
          "y must have " + std::to_string(blocks) + " elements, is " + view_text(call.outputs[0]));
  HWY_DYNAMIC_DISPATCH(block_sums)(ctx, work, true, static_cast<double*>(work.y));
}

void op_sum_ranks(Context& ctx, const ftrun_op_call& call) {
  require(call.n_inputs >= 1 && call.n_outputs == 1, "takes at least one input and one output");
  const ftrun_view& y = call.outputs[0];
  require_float(y, "y");
  require_contiguous(y, "y");
  for (int32_t rank = 0; rank < call.n_inputs; ++rank) {
    require_float(call.inputs[rank], "x");
    require_contiguous(call.inputs[rank], "x");
    require(element_count(call.inputs[rank]) == element_count(y), "all operands must have y's element count");
  }
  const RankSum work{call.inputs, call.n_inputs, bytes_of(y), y.dtype, element_count(y)};
  HWY_DYNAMIC_DISPATCH(sum_of_ranks)(ctx, work);
}

}  // namespace ftrun::kernels
#endif
