// The matrix product that matmul and the fused ops share: c = op(a) op(b), any mix of f32 and bf16, parallel.
// Leaves out: ABI views and their checks (matmul.cpp). Legend: c is [M, N], the sum runs over K.
#pragma once

#include "plugins/devices/kernels/context.h"

namespace ftrun::kernels {

/// A matrix in memory: rows of `row_stride` elements, last stride 1. transposed: the product uses its transpose.
struct Matrix {
  const void* data;
  ftrun_dtype dtype;
  int64_t row_stride;
  bool transposed;
};

enum class GemmOutput {
  kStore,     ///< c = round(alpha * sum + bias)
  kAdd,       ///< c = round(alpha * sum + bias + c)
  kContinue,  ///< f32 c only, alpha 1, no bias: the sum starts from c, as if one longer K had been summed
};

struct GemmCall {
  int64_t m, n, k;
  Matrix a, b;
  void* c;
  ftrun_dtype c_dtype;
  int64_t c_row_stride;
  float alpha = 1.0f;
  const void* bias = nullptr;  ///< [N]
  ftrun_dtype bias_dtype = FTRUN_F32;
  GemmOutput output = GemmOutput::kStore;
  /// An f32 a may be rounded to bf16 where that makes a bf16 product of it (gradients of bf16 activations).
  bool round_a = false;
  int64_t batch = 1;
  int64_t a_batch = 0, b_batch = 0, c_batch = 0;  ///< elements from one product to the next
};

/// Each element is one chain of fused multiply-adds over k = 0 .. K-1 in f32, whatever M, N, the threads and the
/// tiling. Products of bf16 operands are one chain of bf16 pair products instead where the CPU has them (isa.h). Either
/// way splitting an even K over calls with kContinue, at even places, gives the same bits. Uses thread scratch only
/// (about 2 MiB per thread).
void gemm(Context& ctx, const GemmCall& call);

}  // namespace ftrun::kernels
