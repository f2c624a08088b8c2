// Checks of operands that every op family uses; messages name the op, the operand and its shape.
#pragma once

#include <initializer_list>
#include <string_view>

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// Throws INVALID_ARGUMENT unless `x` is present and f32 or bf16.
void require_float(std::string_view op, std::string_view operand, const Tensor& x);
/// Throws INVALID_ARGUMENT unless `x` is present and of `dtype`.
void require_dtype(std::string_view op, std::string_view operand, const Tensor& x, ftrun_dtype dtype);
/// Throws INVALID_ARGUMENT unless x.shape() == shape.
void require_shape(std::string_view op, std::string_view operand, const Tensor& x, const Shape& shape);
/// Throws INVALID_ARGUMENT unless x has `ndim` axes.
void require_ndim(std::string_view op, std::string_view operand, const Tensor& x, int32_t ndim);
/// Throws INVALID_ARGUMENT unless `value` is 0: a reserved field, or `accumulate` where a new tensor is made.
void require_zero(std::string_view op, std::string_view field, int32_t value);
/// Throws INVALID_ARGUMENT when gradients are on and an input requires one: the op has none.
void refuse_gradient(const ExecutionContext& ctx, std::string_view op, std::initializer_list<Tensor> inputs);

/// x, or a contiguous copy of it with x's history.
Tensor contiguous(ExecutionContext& ctx, const Tensor& x);

/// Does x's device have the fused op? Where not, notes that it is composed from primitives.
bool has_fused(const Tensor& x, std::string_view name);

}  // namespace ftrun::ops
