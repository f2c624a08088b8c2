// Reductions in f32 or wider, with gradients.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// x[.., D] -> f32[..].
Tensor sum_last(ExecutionContext& ctx, const Tensor& x);
/// x[.., D] -> f32[..]. The gradient is split evenly among equal maxima, as torch.amax does.
Tensor max_last(ExecutionContext& ctx, const Tensor& x);
/// x[T, D] -> [D] in x's dtype: sum over rows.
Tensor sum_rows(ExecutionContext& ctx, const Tensor& x);
/// x -> f32[1].
Tensor sum_all(ExecutionContext& ctx, const Tensor& x);
/// x[N] -> f64[ceil(N / 1024)]: block sums of squares, the partials of the norm. No gradient. N = 0 gives an empty
/// tensor.
Tensor sum_squares(ExecutionContext& ctx, const Tensor& x);
/// What sum_squares gave, read back to the host and appended to `blocks` in block order.
void append_block_sums(ExecutionContext& ctx, const Tensor& sums, std::vector<double>& blocks);

}  // namespace ftrun::ops
