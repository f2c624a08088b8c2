// Attention from primitive ops, for devices without the fused kernel: tiles of query rows, never a [T, T] matrix.
#pragma once

#include "core/ops/attention.h"

namespace ftrun::ops {

/// One attention problem as every implementation takes it.
struct AttentionCall {
  Tensor q_THC;
  Tensor k_SKC;
  Tensor v_SKC;
  std::shared_ptr<const AttentionSegments> segments;
  double scale = 1.0;
  bool causal = true;
};

struct AttentionResult {
  Tensor out_THC;
  Tensor lse_HT;  ///< f32
};

struct AttentionGradients {
  Tensor dq;
  Tensor dk;
  Tensor dv;
};

AttentionResult attention_composed(ExecutionContext& ctx, const AttentionCall& call);
AttentionGradients attention_backward_composed(ExecutionContext& ctx, const AttentionCall& call,
                                               const AttentionResult& result, const Tensor& dout);

}  // namespace ftrun::ops
