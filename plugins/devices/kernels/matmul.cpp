// The matmul op: checks its views and calls the GEMM.
#include "ftrun/cpp/reference_kernels/matmul.hpp"

#include "plugins/devices/kernels/gemm.h"
#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {

using namespace reference;

void op_matmul(Context& ctx, const ftrun_op_call& call) {
  const auto& attributes = attributes_of<ftrun_matmul_attributes>(call);
  const MatmulShape shape = matmul_shape(call, attributes);
  const ftrun_view &a = call.inputs[0], &b = call.inputs[1], &c = call.outputs[0];
  GemmCall work{};
  work.m = shape.m;
  work.n = shape.n;
  work.k = shape.k;
  work.a = {bytes_of(a), a.dtype, shape.a_row, attributes.transpose_a != 0};
  work.b = {bytes_of(b), b.dtype, shape.b_row, attributes.transpose_b != 0};
  work.c = bytes_of(c);
  work.c_dtype = c.dtype;
  work.c_row_stride = shape.c_row;
  work.alpha = static_cast<float>(attributes.alpha);
  if (call.n_inputs == 3 && call.inputs[2].data != nullptr) {
    work.bias = bytes_of(call.inputs[2]);
    work.bias_dtype = call.inputs[2].dtype;
  }
  work.output = attributes.accumulate ? GemmOutput::kAdd : GemmOutput::kStore;
  work.batch = shape.batch;
  work.a_batch = shape.a_batch;
  work.b_batch = shape.b_batch;
  work.c_batch = shape.c_batch;
  gemm(ctx, work);
}

}  // namespace ftrun::kernels
