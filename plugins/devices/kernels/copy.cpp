// Strided copies and conversions. f32 and bf16 rows are converted with SIMD; rarer pairs go element by element.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/copy.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/simd-inl.h"

#ifndef FTRUN_KERNELS_COPY_TYPES_
#define FTRUN_KERNELS_COPY_TYPES_
#include <algorithm>

#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {
/// Converts `count` adjacent elements.
struct RowCopy {
  const char* x;
  ftrun_dtype x_dtype;
  char* y;
  ftrun_dtype y_dtype;
  int64_t count;
};
}  // namespace ftrun::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

void convert_row(const RowCopy& row) {
  float block[kBlock];
  for (int64_t i = 0; i < row.count; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, row.count - i);
    const float* x = span(row.x, row.x_dtype, i, count, block);
    narrow_span(x, row.y_dtype, count, at(row.y, row.y_dtype, i));
  }
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {

HWY_EXPORT(convert_row);

using namespace reference;

bool is_simd_float(ftrun_dtype dtype) { return dtype == FTRUN_F32 || dtype == FTRUN_BF16; }

void copy_row(const RowCopy& row) {
  if (row.x_dtype == row.y_dtype) {
    std::memcpy(row.y, row.x, static_cast<size_t>(row.count) * FTRUN_DTYPE_BYTES(row.x_dtype));
    return;
  }
  HWY_DYNAMIC_DISPATCH(convert_row)(row);
}

/// Copies row by row (last axis) with strides 1 there.
void copy_rows(Context& ctx, const ftrun_view& x, const ftrun_view& y) {
  const int64_t columns = last_size(x), rows = row_count(x);
  const int64_t x_size = static_cast<int64_t>(FTRUN_DTYPE_BYTES(x.dtype));
  const int64_t y_size = static_cast<int64_t>(FTRUN_DTYPE_BYTES(y.dtype));
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, columns));
  ctx.parallel.ranges(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      copy_row({bytes_of(x) + strided_offset(x, row * columns) * x_size, x.dtype,
                bytes_of(y) + strided_offset(y, row * columns) * y_size, y.dtype, columns});
    }
  });
}

bool last_is_dense(const ftrun_view& view) {
  return view.ndim == 0 || last_size(view) <= 1 || view.strides[view.ndim - 1] == 1;
}

}  // namespace

void op_copy(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_same_shape(x, y, "x and y");
  const int64_t count = element_count(x);
  if (count == 0) return;
  const bool simple = x.dtype == y.dtype || (is_simd_float(x.dtype) && is_simd_float(y.dtype));
  if (simple && is_contiguous(x) && is_contiguous(y)) {
    const int64_t x_size = static_cast<int64_t>(FTRUN_DTYPE_BYTES(x.dtype));
    const int64_t y_size = static_cast<int64_t>(FTRUN_DTYPE_BYTES(y.dtype));
    ctx.parallel.ranges(count, 65536, [&](int64_t begin, int64_t end) {
      copy_row({bytes_of(x) + begin * x_size, x.dtype, bytes_of(y) + begin * y_size, y.dtype, end - begin});
    });
    return;
  }
  if (simple && last_is_dense(x) && last_is_dense(y) && last_size(x) >= 4) return copy_rows(ctx, x, y);
  reference::op_copy(call);
}

}  // namespace ftrun::kernels
#endif
