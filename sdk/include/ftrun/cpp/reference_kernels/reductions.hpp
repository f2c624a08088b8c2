// Scalar reference kernels: reductions and sum_ranks. The orders are those ops.h names.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_REDUCTIONS_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_REDUCTIONS_HPP_

#include <algorithm>

#include "ftrun/cpp/reference_kernels/elementwise.hpp"
#include "ftrun/cpp/reference_kernels/operands.hpp"

namespace ftrun::reference {

/** Elements of one f64 partial sum of sum_all and sum_squares. */
constexpr int64_t kSumBlock = 1024;

/** (x[.., D]) -> y f32[..]: folds each row from `start` with `fold`. */
template <class Fold>
void reduce_last(const ftrun_op_call& call, float start, Fold fold) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(x, "x");
  require_dtype(y, FTRUN_F32, "y");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  require(x.ndim >= 1 && element_count(y) == row_count(x), "y must have x's shape without the last axis");
  const int64_t rows = row_count(x), columns = last_size(x);
  for (int64_t row = 0; row < rows; ++row) {
    float value = start;
    for (int64_t i = 0; i < columns; ++i) value = fold(value, load_float(bytes_of(x), x.dtype, row * columns + i));
    elements_of<float>(y)[row] = value;
  }
}

inline void op_sum_last(const ftrun_op_call& call) {
  reduce_last(call, 0.0f, [](float a, float b) { return a + b; });
}
inline void op_max_last(const ftrun_op_call& call) {
  require(call.n_inputs == 1 && last_size(call.inputs[0]) > 0, "max_last of an empty axis");
  reduce_last(call, -std::numeric_limits<float>::infinity(), maximum);
}

/** (x[T, D]) -> y[D]: sum over rows in row order, then the old value. */
inline void op_sum_rows(const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const bool accumulate = attributes_of<ftrun_accumulate_attributes>(call).accumulate != 0;
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(x, "x");
  require_float(y, "y");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  require(element_count(y) == last_size(x), "y must have x's last axis");
  const int64_t rows = row_count(x), columns = last_size(x);
  for (int64_t column = 0; column < columns; ++column) {
    float sum = 0.0f;
    for (int64_t row = 0; row < rows; ++row) sum += load_float(bytes_of(x), x.dtype, row * columns + column);
    if (accumulate) sum += load_float(bytes_of(y), y.dtype, column);
    store_float(bytes_of(y), y.dtype, column, sum);
  }
}

/** (x) -> y f32[1]. */
inline void op_sum_all(const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(x, "x");
  require_dtype(y, FTRUN_F32, "y");
  require_contiguous(x, "x");
  require(element_count(y) == 1, "y must have one element");
  const int64_t count = element_count(x);
  double total = 0.0;
  for (int64_t begin = 0; begin < count; begin += kSumBlock) {
    double partial = 0.0;
    for (int64_t i = begin; i < std::min(count, begin + kSumBlock); ++i) {
      partial += static_cast<double>(load_float(bytes_of(x), x.dtype, i));
    }
    total += partial;
  }
  *elements_of<float>(y) = static_cast<float>(total);
}

/** (x[N]) -> y f64[ceil(N / 1024)]. */
inline void op_sum_squares(const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(x, "x");
  require_dtype(y, FTRUN_F64, "y");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  const int64_t count = element_count(x), blocks = (count + kSumBlock - 1) / kSumBlock;
  require(element_count(y) == blocks, "y must have " + std::to_string(blocks) + " elements, is " + view_text(y));
  for (int64_t block = 0; block < blocks; ++block) {
    double partial = 0.0;
    for (int64_t i = block * kSumBlock; i < std::min(count, (block + 1) * kSumBlock); ++i) {
      const double value = static_cast<double>(load_float(bytes_of(x), x.dtype, i));
      partial += value * value;
    }
    elements_of<double>(y)[block] = partial;
  }
}

/** (x_0, .., x_{n-1}) -> y: left fold in rank order in f32, rounded once. y may be x_0's view. */
inline void op_sum_ranks(const ftrun_op_call& call) {
  require(call.n_inputs >= 1 && call.n_outputs == 1, "takes at least one input and one output");
  const ftrun_view& y = call.outputs[0];
  require_float(y, "y");
  require_contiguous(y, "y");
  for (int32_t rank = 0; rank < call.n_inputs; ++rank) {
    require_float(call.inputs[rank], "x");
    require_contiguous(call.inputs[rank], "x");
    require(element_count(call.inputs[rank]) == element_count(y), "all operands must have y's element count");
  }
  const int64_t count = element_count(y);
  for (int64_t i = 0; i < count; ++i) {
    float sum = load_float(bytes_of(call.inputs[0]), call.inputs[0].dtype, i);
    for (int32_t rank = 1; rank < call.n_inputs; ++rank) {
      sum += load_float(bytes_of(call.inputs[rank]), call.inputs[rank].dtype, i);
    }
    store_float(bytes_of(y), y.dtype, i, sum);
  }
}

}  // namespace ftrun::reference

#endif  // FTRUN_CPP_REFERENCE_KERNELS_REDUCTIONS_HPP_
