// Rows by id and elements by id.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// y[T, D] = rows ids i32[T] of table [V, D]. An id outside [0, V) is INVALID_ARGUMENT (from the device). The table's
/// gradient is scattered straight into its target.
Tensor embedding(ExecutionContext& ctx, const Tensor& table, const Tensor& ids);
/// y f32[T] = x[t, ids[t]] of x [T, V], 0 where ids[t] is outside [0, V). Differentiable in x.
Tensor gather_last(ExecutionContext& ctx, const Tensor& x, const Tensor& ids);

}  // namespace ftrun::ops
