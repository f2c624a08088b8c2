// Scalar reference kernel: matmul, with transposition, batch axis, strided rows, bias and accumulation.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_MATMUL_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_MATMUL_HPP_

#include <vector>

#include "ftrun/cpp/reference_kernels/operands.hpp"

namespace ftrun::reference {

/** The checked shape of a matmul call. Strides in elements; batch strides are 0 without a batch axis. */
struct MatmulShape {
  int64_t batch = 1, m = 0, n = 0, k = 0;
  int64_t a_row = 0, b_row = 0, c_row = 0;
  int64_t a_batch = 0, b_batch = 0, c_batch = 0;
};

inline MatmulShape matmul_shape(const ftrun_op_call& call, const ftrun_matmul_attributes& attributes) {
  require_arity(call, 2, 3, 1);
  const ftrun_view &a = call.inputs[0], &b = call.inputs[1], &c = call.outputs[0];
  for (const ftrun_view* view : {&a, &b, &c}) {
    require_float(*view, "operand");
    require(view->ndim == a.ndim && (view->ndim == 2 || view->ndim == 3), "operands must all be [M, N] or [B, M, N]");
    require(view->strides[view->ndim - 1] == 1 || last_size(*view) <= 1 || element_count(*view) == 0,
            "the last axis must have stride 1");
  }
  const int32_t row = a.ndim - 2, column = a.ndim - 1;
  const bool ta = attributes.transpose_a != 0, tb = attributes.transpose_b != 0;
  MatmulShape shape;
  shape.m = a.shape[ta ? column : row];
  shape.k = a.shape[ta ? row : column];
  shape.n = b.shape[tb ? row : column];
  require(b.shape[tb ? column : row] == shape.k && c.shape[row] == shape.m && c.shape[column] == shape.n,
          "shapes do not fit: a " + view_text(a) + (ta ? " transposed" : "") + ", b " + view_text(b) +
              (tb ? " transposed" : "") + ", c " + view_text(c));
  shape.a_row = a.strides[row];
  shape.b_row = b.strides[row];
  shape.c_row = c.strides[row];
  if (a.ndim == 3) {
    shape.batch = c.shape[0];
    require(a.shape[0] == shape.batch && b.shape[0] == shape.batch, "batch axes differ");
    shape.a_batch = a.strides[0];
    shape.b_batch = b.strides[0];
    shape.c_batch = c.strides[0];
  }
  if (call.n_inputs == 3 && call.inputs[2].data != nullptr) {
    require_float(call.inputs[2], "bias");
    require_contiguous(call.inputs[2], "bias");
    require(element_count(call.inputs[2]) == shape.n, "bias must have N elements, is " + view_text(call.inputs[2]));
  }
  return shape;
}

/** (a, b[, bias]) -> c = alpha op(a) op(b) [+ bias] [+ c]. */
inline void op_matmul(const ftrun_op_call& call) {
  const auto& attributes = attributes_of<ftrun_matmul_attributes>(call);
  const MatmulShape shape = matmul_shape(call, attributes);
  const ftrun_view &a = call.inputs[0], &b = call.inputs[1], &c = call.outputs[0];
  const ftrun_view* bias = call.n_inputs == 3 && call.inputs[2].data != nullptr ? &call.inputs[2] : nullptr;
  const int64_t a_m = attributes.transpose_a ? 1 : shape.a_row, a_k = attributes.transpose_a ? shape.a_row : 1;
  const int64_t b_k = attributes.transpose_b ? 1 : shape.b_row, b_n = attributes.transpose_b ? shape.b_row : 1;
  const float alpha = static_cast<float>(attributes.alpha);
  for (int64_t batch = 0; batch < shape.batch; ++batch) {
    for (int64_t i = 0; i < shape.m; ++i) {
      for (int64_t j = 0; j < shape.n; ++j) {
        float sum = 0.0f;
        for (int64_t k = 0; k < shape.k; ++k) {
          sum += load_float(bytes_of(a), a.dtype, batch * shape.a_batch + i * a_m + k * a_k) *
                 load_float(bytes_of(b), b.dtype, batch * shape.b_batch + k * b_k + j * b_n);
        }
        sum *= alpha;
        const int64_t at = batch * shape.c_batch + i * shape.c_row + j;
        if (bias) sum += load_float(bytes_of(*bias), bias->dtype, j);
        if (attributes.accumulate) sum += load_float(bytes_of(c), c.dtype, at);
        store_float(bytes_of(c), c.dtype, at, sum);
      }
    }
  }
}

}  // namespace ftrun::reference

#endif  // FTRUN_CPP_REFERENCE_KERNELS_MATMUL_HPP_
