// Elementwise ops with gradients. a and b are f32 or bf16; mixed operands give f32. All [rank-thread]; INVALID_ARGUMENT
// names the op and the shapes that do not fit.
#pragma once

#include <string_view>

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// y = a op b for add, sub, mul, div, maximum, minimum (ops.h names). b has a's shape, or is one element, or [D] for
/// a's last axis, or [.., 1].
Tensor binary(ExecutionContext& ctx, std::string_view name, const Tensor& a, const Tensor& b);
Tensor add(ExecutionContext& ctx, const Tensor& a, const Tensor& b);
Tensor sub(ExecutionContext& ctx, const Tensor& a, const Tensor& b);
Tensor mul(ExecutionContext& ctx, const Tensor& a, const Tensor& b);
Tensor div(ExecutionContext& ctx, const Tensor& a, const Tensor& b);

/// y = f(x) for neg, exp, log, sqrt, rsqrt, square, reciprocal, sigmoid, log_sigmoid, silu, relu, tanh, abs, sin, cos.
Tensor unary(ExecutionContext& ctx, std::string_view name, const Tensor& x);

/// y = alpha x + beta.
Tensor affine(ExecutionContext& ctx, const Tensor& x, double alpha, double beta = 0.0);
/// y = min(max(x, low), high). The gradient passes where low <= x <= high.
Tensor clamp(ExecutionContext& ctx, const Tensor& x, double low, double high);
/// y = a >= b ? 1 : 0, in a's dtype. No gradient.
Tensor greater_equal(ExecutionContext& ctx, const Tensor& a, const Tensor& b);
/// y = condition != 0 ? a : b, same shapes. Gradients of a and b.
Tensor select(ExecutionContext& ctx, const Tensor& condition, const Tensor& a, const Tensor& b);
/// y = y0 + alpha x as a new tensor.
Tensor axpy(ExecutionContext& ctx, const Tensor& x, const Tensor& y0, double alpha);

}  // namespace ftrun::ops
