// Views, copies and conversions with their gradients.
#include "core/ops/layout.h"

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/checks.h"
#include "core/ops/families.h"

namespace ftrun::ops {
namespace {

void slice_rows_backward(BackwardCall& call, int64_t begin, int64_t end) {
  ExecutionContext& ctx = call.context();
  const GradientDestination dx = call.destination(0);
  if (!dx) return;
  const Tensor rows = dx.tensor.slice(0, begin, end);
  if (dx.accumulate) {
    add_into(ctx, call.gradient(), rows);
  } else {
    fill(ctx, dx.tensor, 0.0);
    copy_into(ctx, call.gradient(), rows);
  }
}

Tensor converted_copy(ExecutionContext& ctx, const Tensor& x, ftrun_dtype dtype) {
  const OpLabel label(ctx, FTRUN_OP_COPY);
  const Tensor y = empty_like(ctx, x, dtype);
  copy_into(ctx, x, y);
  record_op(ctx, FTRUN_OP_COPY, {x}, {y}, [](BackwardCall& call) { call.contribute(0, call.gradient()); });
  return y;
}

}  // namespace

Tensor reshape(ExecutionContext& ctx, const Tensor& x, const Shape& shape) {
  const Tensor y = x.reshape(shape);
  record_op(ctx, "reshape", {x}, {y}, [](BackwardCall& call) { call.contribute(0, call.gradient()); });
  return y;
}

Tensor slice(ExecutionContext& ctx, const Tensor& x, int32_t axis, int64_t begin, int64_t end) {
  const Tensor y = x.slice(axis, begin, end);
  if (!should_record(ctx, {x})) return y;
  if (axis != 0 && axis + x.ndim() != 0) {
    throw failed_precondition("slice along axis {} of {} has no gradient; only axis 0 has", axis, x.text());
  }
  record_op(ctx, "slice", {x}, {y}, [begin, end](BackwardCall& call) { slice_rows_backward(call, begin, end); });
  return y;
}

Tensor cast(ExecutionContext& ctx, const Tensor& x, ftrun_dtype dtype) {
  if (x.dtype() == dtype) return x;
  if (!is_compute_float(dtype) || !is_compute_float(x.dtype())) refuse_gradient(ctx, "cast", {x});
  return converted_copy(ctx, x, dtype);
}

Tensor copy(ExecutionContext& ctx, const Tensor& x) { return converted_copy(ctx, x, x.dtype()); }

void copy_into(ExecutionContext& ctx, const Tensor& x, const Tensor& y) {
  require_shape(FTRUN_OP_COPY, "x", x, y.shape());
  if (y.element_count() > 0) execute(ctx, FTRUN_OP_COPY, {x}, {y});
}

void fill(ExecutionContext& ctx, const Tensor& y, double value) {
  auto values = attributes<ftrun_fill_attributes>();
  values.value = value;
  if (y.element_count() > 0) execute(ctx, FTRUN_OP_FILL, {}, {y}, &values);
}

void add_into(ExecutionContext& ctx, const Tensor& x, const Tensor& y, double alpha) {
  require_shape(FTRUN_OP_AXPY, "x", x, y.shape());
  auto values = attributes<ftrun_affine_attributes>();
  values.alpha = alpha;
  if (y.element_count() > 0) execute(ctx, FTRUN_OP_AXPY, {x, y}, {y}, &values);
}

Tensor full(ExecutionContext& ctx, ftrun_dtype dtype, const Shape& shape, double value,
            ftrun_memory_category category) {
  const Tensor y = empty(ctx, dtype, shape, category);
  fill(ctx, y, value);
  return y;
}

void register_layout(OpTable& table) {
  table[FTRUN_OP_COPY] = {.run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
    return std::vector{copy(ctx, in[0])};
  }};
}

}  // namespace ftrun::ops
