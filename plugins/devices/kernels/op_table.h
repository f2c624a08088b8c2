// The kernels by op name. To add an op: its file, a declaration here and a row in op_table.cpp.
#pragma once

#include <string_view>

#include "plugins/devices/kernels/context.h"

namespace ftrun::kernels {

struct Op {
  const char* name;
  /// Checks the call (throws KernelError before writing anything), then computes.
  void (*run)(Context& ctx, const ftrun_op_call& call);
  bool any_dtype;                ///< otherwise f32 and bf16
  bool without_scratch = false;  ///< may run beside another op on the same Context
};

/// Index of an op for `at_index`, or -1 when the name is unknown or the dtype of its first float operand is not
/// supported.
int64_t find_op(std::string_view name, ftrun_dtype dtype);
int64_t op_count();
/// 0 <= index < op_count().
const Op& op_at(int64_t index);

// elementwise.cpp
void op_fill(Context& ctx, const ftrun_op_call& call);
void op_add(Context& ctx, const ftrun_op_call& call);
void op_sub(Context& ctx, const ftrun_op_call& call);
void op_mul(Context& ctx, const ftrun_op_call& call);
void op_div(Context& ctx, const ftrun_op_call& call);
void op_maximum(Context& ctx, const ftrun_op_call& call);
void op_minimum(Context& ctx, const ftrun_op_call& call);
void op_greater_equal(Context& ctx, const ftrun_op_call& call);
void op_neg(Context& ctx, const ftrun_op_call& call);
void op_exp(Context& ctx, const ftrun_op_call& call);
void op_log(Context& ctx, const ftrun_op_call& call);
void op_sqrt(Context& ctx, const ftrun_op_call& call);
void op_rsqrt(Context& ctx, const ftrun_op_call& call);
void op_square(Context& ctx, const ftrun_op_call& call);
void op_reciprocal(Context& ctx, const ftrun_op_call& call);
void op_sigmoid(Context& ctx, const ftrun_op_call& call);
void op_log_sigmoid(Context& ctx, const ftrun_op_call& call);
void op_silu(Context& ctx, const ftrun_op_call& call);
void op_relu(Context& ctx, const ftrun_op_call& call);
void op_tanh(Context& ctx, const ftrun_op_call& call);
void op_abs(Context& ctx, const ftrun_op_call& call);
void op_sin(Context& ctx, const ftrun_op_call& call);
void op_cos(Context& ctx, const ftrun_op_call& call);
void op_affine(Context& ctx, const ftrun_op_call& call);
void op_clamp(Context& ctx, const ftrun_op_call& call);
void op_axpy(Context& ctx, const ftrun_op_call& call);
void op_select(Context& ctx, const ftrun_op_call& call);
void op_swiglu(Context& ctx, const ftrun_op_call& call);
void op_swiglu_backward(Context& ctx, const ftrun_op_call& call);
void op_adamw(Context& ctx, const ftrun_op_call& call);
// copy.cpp
void op_copy(Context& ctx, const ftrun_op_call& call);
// reduce.cpp
void op_sum_last(Context& ctx, const ftrun_op_call& call);
void op_max_last(Context& ctx, const ftrun_op_call& call);
void op_sum_rows(Context& ctx, const ftrun_op_call& call);
void op_sum_all(Context& ctx, const ftrun_op_call& call);
void op_sum_squares(Context& ctx, const ftrun_op_call& call);
void op_sum_ranks(Context& ctx, const ftrun_op_call& call);
// matmul.cpp
void op_matmul(Context& ctx, const ftrun_op_call& call);
// indexing.cpp
void op_gather_rows(Context& ctx, const ftrun_op_call& call);
void op_scatter_add_rows(Context& ctx, const ftrun_op_call& call);
void op_gather_last(Context& ctx, const ftrun_op_call& call);
void op_add_at_last(Context& ctx, const ftrun_op_call& call);
void op_causal_fill(Context& ctx, const ftrun_op_call& call);
// random.cpp
void op_random_normal(Context& ctx, const ftrun_op_call& call);
void op_random_uniform(Context& ctx, const ftrun_op_call& call);
// rms_norm.cpp
void op_rms_norm(Context& ctx, const ftrun_op_call& call);
void op_rms_norm_backward(Context& ctx, const ftrun_op_call& call);
void op_add_rms_norm(Context& ctx, const ftrun_op_call& call);
void op_add_rms_norm_backward(Context& ctx, const ftrun_op_call& call);
// rope.cpp
void op_rope_table(Context& ctx, const ftrun_op_call& call);
void op_rope(Context& ctx, const ftrun_op_call& call);
// attention.cpp
void op_flash_attention(Context& ctx, const ftrun_op_call& call);
void op_flash_attention_backward(Context& ctx, const ftrun_op_call& call);
// paged_attention.cpp
void op_paged_attention(Context& ctx, const ftrun_op_call& call);
// linear_cross_entropy.cpp
void op_linear_cross_entropy(Context& ctx, const ftrun_op_call& call);
void op_linear_cross_entropy_backward(Context& ctx, const ftrun_op_call& call);
void op_linear_cross_entropy_with_gradients(Context& ctx, const ftrun_op_call& call);

}  // namespace ftrun::kernels
