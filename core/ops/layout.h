// Ops that move or convert elements: reshape, slice, cast, copy, fill, broadcast.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// Same memory, other shape (contiguous). Differentiable.
Tensor reshape(ExecutionContext& ctx, const Tensor& x, const Shape& shape);
/// Same memory, elements [begin, end) of `axis`. Differentiable along axis 0 only; elsewhere FAILED_PRECONDITION when x
/// requires grad and gradients are on.
Tensor slice(ExecutionContext& ctx, const Tensor& x, int32_t axis, int64_t begin, int64_t end);
/// x itself when it has the dtype, else a converted copy (nearest even). Differentiable between floats.
Tensor cast(ExecutionContext& ctx, const Tensor& x, ftrun_dtype dtype);
/// A contiguous copy. Differentiable.
Tensor copy(ExecutionContext& ctx, const Tensor& x);

/// Overwrites `y` (any strides, any dtype) with x's values, converted; shapes equal. No gradient, no history.
void copy_into(ExecutionContext& ctx, const Tensor& x, const Tensor& y);
/// Every element of y = value. No gradient.
void fill(ExecutionContext& ctx, const Tensor& y, double value);
/// y f32 or bf16 += alpha x, in place. No gradient.
void add_into(ExecutionContext& ctx, const Tensor& x, const Tensor& y, double alpha = 1.0);
/// New tensor of `shape` filled with value.
Tensor full(ExecutionContext& ctx, ftrun_dtype dtype, const Shape& shape, double value,
            ftrun_memory_category category = FTRUN_MEMORY_ACTIVATIONS);

}  // namespace ftrun::ops
