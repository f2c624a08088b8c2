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

/// out[i][.., O_i] = x[.., I] W_i^T + b_i for each weight [O_i, I]; biases[i] [O_i] may be empty, `biases` may be
/// shorter. Results have x's dtype. In backward the gradients of W_i and b_i are written straight into their targets
/// and x's gradient is accumulated over i in place.
std::vector<Tensor> linear(ExecutionContext& ctx, const Tensor& x, std::span<const Tensor> weights,
                           std::span<const Tensor> biases = {});
Tensor linear(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace ftrun::ops
