// The language-model head with its loss: never holds the logits of all tokens.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// f32[1] = scale * sum over t of weights[t] * cross entropy(head_weight hidden[t], labels[t]). hidden [T, D],
/// head_weight [V, D], labels i32[T] on the device (negative: adds nothing), weights f32[T] on the device or empty for
/// ones. Differentiable in hidden and head_weight; the latter's gradient is written straight into its target.
Tensor cross_entropy_sum(ExecutionContext& ctx, const Tensor& hidden, const Tensor& head_weight, const Tensor& labels,
                         const Tensor& weights, double scale);

/// logp f32[T] of labels under softmax(head_weight hidden[t] / temperature), 0 where labels[t] < 0, differentiable;
/// entropy f32[T] of that distribution without gradient, only when asked for.
struct LogProbabilities {
  Tensor logp;
  Tensor entropy;
};
LogProbabilities logprobs(ExecutionContext& ctx, const Tensor& hidden, const Tensor& head_weight, const Tensor& labels,
                          double temperature, bool with_entropy);

}  // namespace ftrun::ops
