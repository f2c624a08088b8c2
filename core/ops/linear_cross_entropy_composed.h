// Linear + cross-entropy from primitive ops, for devices without the fused kernel: chunks of rows, never [T, V] logits.
#pragma once

#include "core/autograd/gradient_target.h"
#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// One head evaluation as every implementation takes it.
struct HeadCall {
  Tensor x_TD;
  Tensor weight_VD;
  Tensor labels_T;  ///< i32 on the device
  double inv_temperature = 1.0;
};

struct HeadResult {
  Tensor loss_T;
  Tensor lse_T;
  Tensor entropy_T;  ///< empty when not asked for
};

HeadResult linear_cross_entropy_composed(ExecutionContext& ctx, const HeadCall& call, bool with_entropy);
/// dx (x's dtype) and dweight may be empty.
void linear_cross_entropy_backward_composed(ExecutionContext& ctx, const HeadCall& call, const Tensor& dloss_T,
                                            const Tensor& lse_T, const Tensor& dx_TD,
                                            const GradientDestination& dweight);

}  // namespace ftrun::ops
