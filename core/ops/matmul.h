// Matrix products: the plain op and the linear layer.
#pragma once

#include <span>
#include <vector>

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// c = alpha op(a) op(b), [M, N] or with a leading batch axis [B, M, N], in a's dtype. op transposes by flag: a is [M,
/// K] or, transposed, [K, M]; b is [K, N] or, transposed, [N, K]. Differentiable.
Tensor matmul(ExecutionContext& ctx, const Tensor& a, const Tensor& b, bool transpose_a = false,
              bool transpose_b = false, double alpha = 1.0);

/// matmul into existing memory (strided rows allowed), optionally adding to it and with a bias [N]. No gradient.
void matmul_into(ExecutionContext& ctx, const Tensor& a, const Tensor& b, const Tensor& c, bool transpose_a,
                 bool transpose_b, bool accumulate, double alpha = 1.0, const Tensor& bias = {});

/// A low-rank addition to a linear layer: out += scale (x A^T) B^T, with A [R, I] and B [O, R]. Empty A: none.
/// Source: LoRA (Hu et al. 2021, section 4.1), as PEFT's lora.Linear without dropout: the products are rounded to x's
/// dtype and added to the rounded base.
struct LowRankPair {
  Tensor a_RI;
  Tensor b_OR;
  double scale = 1.0;
};

/// out[i][.., O_i] = x[.., I] W_i^T + b_i for each weight [O_i, I]; biases[i] [O_i] and low_rank[i] may be empty, both
/// lists may be shorter. Results have x's dtype. In backward the gradients of W_i, b_i, A_i and B_i are written
/// straight into their targets (none is computed for a tensor that is not trained) and x's gradient is accumulated in
/// place.
std::vector<Tensor> linear(ExecutionContext& ctx, const Tensor& x, std::span<const Tensor> weights,
                           std::span<const Tensor> biases = {}, std::span<const LowRankPair> low_rank = {});
Tensor linear(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace ftrun::ops
