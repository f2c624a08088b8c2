// Thin calls of primitive ops.
#include "core/ops/primitives.h"

namespace ftrun::ops::primitive {

Tensor binary(ExecutionContext& ctx, std::string_view name, const Tensor& a, const Tensor& b, ftrun_dtype dtype) {
  const Tensor y = empty_like(ctx, a, dtype);
  execute(ctx, name, {a, b}, {y});
  return y;
}

Tensor unary(ExecutionContext& ctx, std::string_view name, const Tensor& x, ftrun_dtype dtype) {
  const Tensor y = empty_like(ctx, x, dtype);
  execute(ctx, name, {x}, {y});
  return y;
}

Tensor affine(ExecutionContext& ctx, const Tensor& x, double alpha, double beta, ftrun_dtype dtype) {
  auto values = attributes<ftrun_affine_attributes>();
  values.alpha = alpha;
  values.beta = beta;
  const Tensor y = empty_like(ctx, x, dtype);
  execute(ctx, FTRUN_OP_AFFINE, {x}, {y}, &values);
  return y;
}

Tensor greater_equal(ExecutionContext& ctx, const Tensor& a, const Tensor& b) {
  return binary(ctx, FTRUN_OP_GREATER_EQUAL, a, b, FTRUN_F32);
}

Tensor less_equal(ExecutionContext& ctx, const Tensor& a, const Tensor& b) {
  return greater_equal(ctx, unary(ctx, FTRUN_OP_NEG, a, a.dtype()), unary(ctx, FTRUN_OP_NEG, b, b.dtype()));
}

Tensor sum_last(ExecutionContext& ctx, const Tensor& x) {
  const Tensor y = empty_on(ctx, x.device(), FTRUN_F32, x.shape().without_last(), FTRUN_MEMORY_ACTIVATIONS);
  execute(ctx, FTRUN_OP_SUM_LAST, {x}, {y});
  return y;
}

Tensor max_last(ExecutionContext& ctx, const Tensor& x) {
  const Tensor y = empty_on(ctx, x.device(), FTRUN_F32, x.shape().without_last(), FTRUN_MEMORY_ACTIVATIONS);
  execute(ctx, FTRUN_OP_MAX_LAST, {x}, {y});
  return y;
}

Tensor sum_all(ExecutionContext& ctx, const Tensor& x) {
  const Tensor y = empty_on(ctx, x.device(), FTRUN_F32, {1}, FTRUN_MEMORY_ACTIVATIONS);
  execute(ctx, FTRUN_OP_SUM_ALL, {x}, {y});
  return y;
}

void sum_rows_into(ExecutionContext& ctx, const Tensor& x, const Tensor& y, bool accumulate) {
  auto values = attributes<ftrun_accumulate_attributes>();
  values.accumulate = accumulate ? 1 : 0;
  execute(ctx, FTRUN_OP_SUM_ROWS, {x}, {y}, &values);
}

Tensor column(const Tensor& x) {
  std::vector<int64_t> sizes(x.shape().sizes().begin(), x.shape().sizes().end());
  sizes.push_back(1);
  return x.reshape(Shape(sizes));
}

Tensor broadcast(ExecutionContext& ctx, const Tensor& x, const Shape& shape, ftrun_dtype dtype) {
  std::array<int64_t, FTRUN_MAX_DIMS> strides = {0, 0, 0, 0};
  if (x.shape() == shape) {
    strides = x.get()->strides;
  } else if (x.element_count() != 1 && x.ndim() == 1) {
    strides[static_cast<size_t>(shape.ndim() - 1)] = 1;
  } else if (x.element_count() != 1) {
    for (int32_t axis = 0; axis + 1 < shape.ndim(); ++axis) {
      strides[static_cast<size_t>(axis)] = x.get()->strides[static_cast<size_t>(axis)];
    }
  }
  const Tensor y = empty_on(ctx, x.device(), dtype, shape, FTRUN_MEMORY_ACTIVATIONS);
  execute(ctx, FTRUN_OP_COPY, {x.as_strided(shape, strides)}, {y});
  return y;
}

}  // namespace ftrun::ops::primitive
