// Linear layers of a unit with the low-rank adapters that lie on their weights.
// Leaves out: where adapters come from (core/train/adapters.h) and merging them (merged_weights.h).
#pragma once

#include <span>
#include <vector>

#include "core/model/context.h"
#include "core/model/unit_walk.h"

namespace ftrun {

/// out[i][.., O_i] of x[.., I] for weights (parameter ids) and biases (ids, -1: none; may be empty) of the unit being
/// computed, adapters included where the walk uses them. Plain pairs run inside the linear op; dropout and DoRA are
/// composed. The norm of DoRA is no part of the gradient (Liu et al. 2024, section 4.3). Source: PEFT
/// tuners/lora/layer.py (Linear.forward) and dora.py (DoraLinearLayer.forward). [rank-thread]
std::vector<Tensor> adapted_linear(ftrun_context& ctx, ActiveUnit& active, const Tensor& x,
                                   std::span<const int32_t> weights, std::span<const int32_t> biases);

/// sqrt(sum over i of (W + scale B A)[o, i]^2) -> f32[O], without gradient. Empty A: of W alone.
Tensor adapted_row_norms(ExecutionContext& ctx, const Tensor& weight_OI, const Tensor& a_RI, const Tensor& b_OR,
                         double scale);

}  // namespace ftrun
