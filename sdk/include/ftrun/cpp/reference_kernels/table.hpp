// The reference kernels by name: one row per primitive op of ops.h. To add an op, add its kernel and a row.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_TABLE_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_TABLE_HPP_

#include <cstddef>
#include <iterator>
#include <string_view>

#include "ftrun/cpp/reference_kernels/elementwise.hpp"
#include "ftrun/cpp/reference_kernels/indexing.hpp"
#include "ftrun/cpp/reference_kernels/matmul.hpp"
#include "ftrun/cpp/reference_kernels/random.hpp"
#include "ftrun/cpp/reference_kernels/reductions.hpp"

namespace ftrun::reference {

struct Op {
  const char* name;
  /** Checks the call, throws KernelError, computes. */
  void (*run)(const ftrun_op_call& call);
  bool any_dtype; /**< otherwise f32 and bf16 */
};

inline constexpr Op kOps[] = {
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
    {FTRUN_OP_SUM_RANKS, op_sum_ranks, false},
    {FTRUN_OP_RANDOM_NORMAL, op_random_normal, false},
    {FTRUN_OP_RANDOM_UNIFORM, op_random_uniform, false},
};
inline constexpr std::size_t kOpCount = std::size(kOps);

/** The op's index in kOps, or kOpCount. */
inline std::size_t find_op_index(std::string_view name) {
  for (std::size_t i = 0; i < kOpCount; ++i) {
    if (name == kOps[i].name) return i;
  }
  return kOpCount;
}

inline bool supports(const Op& op, ftrun_dtype dtype) {
  return op.any_dtype || dtype == FTRUN_F32 || dtype == FTRUN_BF16;
}

}  // namespace ftrun::reference

#endif  // FTRUN_CPP_REFERENCE_KERNELS_TABLE_HPP_
