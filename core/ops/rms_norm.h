// Root-mean-square norm over the last axis.
#pragma once

#include <utility>

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// y[.., D] = x * rsqrt(mean(x^2) + eps) * weight[D]; statistics in f32, x * rstd rounded to x's dtype before the
/// weight.
Tensor rms_norm(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, double eps);

/// {sum, rms_norm(sum)} with sum = x + delta rounded to x's dtype: a residual stream's addition and the norm that reads
/// it. The bits of the two ops; in backward the gradients of sum and norm are added before they are rounded.
std::pair<Tensor, Tensor> add_rms_norm(ExecutionContext& ctx, const Tensor& x, const Tensor& delta,
                                       const Tensor& weight, double eps);

}  // namespace ftrun::ops
