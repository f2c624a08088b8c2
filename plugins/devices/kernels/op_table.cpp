// One row per op of ops.h.
#include "plugins/devices/kernels/op_table.h"

#include <iterator>

#include "ftrun/ops.h"

namespace ftrun::kernels {
namespace {

constexpr Op kOps[] = {
    {FTRUN_OP_FILL, op_fill, true},
    {FTRUN_OP_COPY, op_copy, true},
    {FTRUN_OP_ADD, op_add, false},
    {FTRUN_OP_SUB, op_sub, false},
    {FTRUN_OP_MUL, op_mul, false},
    {FTRUN_OP_DIV, op_div, false},
    {FTRUN_OP_MAXIMUM, op_maximum, false},
    {FTRUN_OP_MINIMUM, op_minimum, false},
    {FTRUN_OP_NEG, op_neg, false},
    {FTRUN_OP_EXP, op_exp, false},
    {FTRUN_OP_LOG, op_log, false},
    {FTRUN_OP_SQRT, op_sqrt, false},
    {FTRUN_OP_RSQRT, op_rsqrt, false},
    {FTRUN_OP_SQUARE, op_square, false},
    {FTRUN_OP_RECIPROCAL, op_reciprocal, false},
    {FTRUN_OP_SIGMOID, op_sigmoid, false},
    {FTRUN_OP_LOG_SIGMOID, op_log_sigmoid, false},
    {FTRUN_OP_SILU, op_silu, false},
    {FTRUN_OP_RELU, op_relu, false},
    {FTRUN_OP_TANH, op_tanh, false},
    {FTRUN_OP_ABS, op_abs, false},
    {FTRUN_OP_SIN, op_sin, false},
    {FTRUN_OP_COS, op_cos, false},
    {FTRUN_OP_AFFINE, op_affine, false},
    {FTRUN_OP_AXPY, op_axpy, false},
    {FTRUN_OP_CLAMP, op_clamp, false},
    {FTRUN_OP_GREATER_EQUAL, op_greater_equal, false},
    {FTRUN_OP_SELECT, op_select, false},
    {FTRUN_OP_SUM_LAST, op_sum_last, false},
    {FTRUN_OP_MAX_LAST, op_max_last, false},
    {FTRUN_OP_SUM_ROWS, op_sum_rows, false},
    {FTRUN_OP_SUM_ALL, op_sum_all, false},
    {FTRUN_OP_SUM_SQUARES, op_sum_squares, false},
    {FTRUN_OP_MATMUL, op_matmul, false},
    {FTRUN_OP_GATHER_ROWS, op_gather_rows, false},
    {FTRUN_OP_SCATTER_ADD_ROWS, op_scatter_add_rows, false},
    {FTRUN_OP_GATHER_LAST, op_gather_last, false},
    {FTRUN_OP_ADD_AT_LAST, op_add_at_last, false},
    {FTRUN_OP_CAUSAL_FILL, op_causal_fill, false},
    {FTRUN_OP_SUM_RANKS, op_sum_ranks, false, true},
    {FTRUN_OP_RANDOM_NORMAL, op_random_normal, false},
    {FTRUN_OP_RANDOM_UNIFORM, op_random_uniform, false},
    {FTRUN_OP_RMS_NORM, op_rms_norm, false},
    {FTRUN_OP_RMS_NORM_BACKWARD, op_rms_norm_backward, false},
    {FTRUN_OP_ADD_RMS_NORM, op_add_rms_norm, false},
    {FTRUN_OP_ADD_RMS_NORM_BACKWARD, op_add_rms_norm_backward, false},
    {FTRUN_OP_ROPE_TABLE, op_rope_table, false},
    {FTRUN_OP_ROPE, op_rope, false},
    {FTRUN_OP_FLASH_ATTENTION, op_flash_attention, false},
    {FTRUN_OP_FLASH_ATTENTION_BACKWARD, op_flash_attention_backward, false},
    {FTRUN_OP_PAGED_ATTENTION, op_paged_attention, false},
    {FTRUN_OP_SWIGLU, op_swiglu, false},
    {FTRUN_OP_SWIGLU_BACKWARD, op_swiglu_backward, false},
    {FTRUN_OP_LINEAR_CROSS_ENTROPY, op_linear_cross_entropy, false},
    {FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD, op_linear_cross_entropy_backward, false},
    {FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS, op_linear_cross_entropy_with_gradients, false},
    {FTRUN_OP_ADAMW, op_adamw, false},
};

}  // namespace

int64_t find_op(std::string_view name, ftrun_dtype dtype) {
  for (int64_t i = 0; i < op_count(); ++i) {
    if (name != kOps[i].name) continue;
    return kOps[i].any_dtype || dtype == FTRUN_F32 || dtype == FTRUN_BF16 ? i : -1;
  }
  return -1;
}

int64_t op_count() { return static_cast<int64_t>(std::size(kOps)); }
const Op& op_at(int64_t index) { return kOps[index]; }

}  // namespace ftrun::kernels
