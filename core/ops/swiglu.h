// silu(gate) * up.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// gate and up [T, F] -> [T, F].
Tensor swiglu(ExecutionContext& ctx, const Tensor& gate, const Tensor& up);

}  // namespace ftrun::ops
