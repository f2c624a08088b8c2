// Rotary position embedding, halves layout of Hugging Face.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// cos and sin f32[T, C / 2] of a micro-batch's positions, both times `scaling`.
struct RopeTable {
  Tensor cos;
  Tensor sin;
};

/// positions i32[T], inverse frequencies f32[C / 2]. No gradient.
RopeTable rope_table(ExecutionContext& ctx, const Tensor& positions, const Tensor& inv_freq, double scaling);
/// y[T, H, C]: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin. Differentiable in x.
Tensor rope(ExecutionContext& ctx, const Tensor& x, const RopeTable& table);

}  // namespace ftrun::ops
