// Primitive device ops as functions that return new tensors: no history, no checks beyond the device's. What gradient
// rules and compositions are written with.
#pragma once

#include <string_view>

#include "core/tensor/tensor.h"

namespace ftrun::ops::primitive {

/// y = a op b in `dtype`, b broadcast as ops.h says.
Tensor binary(ExecutionContext& ctx, std::string_view name, const Tensor& a, const Tensor& b, ftrun_dtype dtype);
inline Tensor add(ExecutionContext& ctx, const Tensor& a, const Tensor& b) {
  return binary(ctx, FTRUN_OP_ADD, a, b, FTRUN_F32);
}
inline Tensor sub(ExecutionContext& ctx, const Tensor& a, const Tensor& b) {
  return binary(ctx, FTRUN_OP_SUB, a, b, FTRUN_F32);
}
inline Tensor mul(ExecutionContext& ctx, const Tensor& a, const Tensor& b) {
  return binary(ctx, FTRUN_OP_MUL, a, b, FTRUN_F32);
}
inline Tensor div(ExecutionContext& ctx, const Tensor& a, const Tensor& b) {
  return binary(ctx, FTRUN_OP_DIV, a, b, FTRUN_F32);
}

/// y = f(x) in `dtype`.
Tensor unary(ExecutionContext& ctx, std::string_view name, const Tensor& x, ftrun_dtype dtype = FTRUN_F32);
/// y = alpha x + beta in `dtype`.
Tensor affine(ExecutionContext& ctx, const Tensor& x, double alpha, double beta, ftrun_dtype dtype = FTRUN_F32);
/// a >= b ? 1 : 0 as f32.
Tensor greater_equal(ExecutionContext& ctx, const Tensor& a, const Tensor& b);
/// x <= y ? 1 : 0 as f32 (b broadcast).
Tensor less_equal(ExecutionContext& ctx, const Tensor& a, const Tensor& b);

/// x[.., D] -> f32[..].
Tensor sum_last(ExecutionContext& ctx, const Tensor& x);
Tensor max_last(ExecutionContext& ctx, const Tensor& x);
/// x -> f32[1].
Tensor sum_all(ExecutionContext& ctx, const Tensor& x);
/// x[T, D] -> y[D] f32 or bf16, optionally added.
void sum_rows_into(ExecutionContext& ctx, const Tensor& x, const Tensor& y, bool accumulate);

/// x[..] as [.., 1], for column broadcasts.
Tensor column(const Tensor& x);
/// A contiguous tensor of `shape` in `dtype` whose elements are x's, repeated: x is one element, or [D] for the last
/// axis of shape, or [.., 1], or has the shape.
Tensor broadcast(ExecutionContext& ctx, const Tensor& x, const Shape& shape, ftrun_dtype dtype);

}  // namespace ftrun::ops::primitive
