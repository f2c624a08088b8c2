// Root-mean-square norm over the last axis.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// y[.., D] = x * rsqrt(mean(x^2) + eps) * weight[D]; statistics in f32, x * rstd rounded to x's dtype before the
/// weight.
Tensor rms_norm(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, double eps);

}  // namespace ftrun::ops
