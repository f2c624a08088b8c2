// silu(gate) * up: the device's fused kernel, or its composition from primitives.
#include "core/ops/swiglu.h"

#include "core/autograd/saved_tensor.h"
#include "core/autograd/tape.h"
#include "core/ops/checks.h"
#include "core/ops/families.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

void backward_composed(BackwardCall& call, const Tensor& gate, const Tensor& up) {
  ExecutionContext& ctx = call.context();
  const Tensor& dy = call.gradient();
  if (call.needs(1)) {
    call.contribute(1, primitive::mul(ctx, dy, primitive::unary(ctx, FTRUN_OP_SILU, gate)));
  }
  if (!call.needs(0)) return;
  // dgate = dy up s (1 + gate (1 - s)) with s = sigmoid(gate)
  const Tensor s = primitive::unary(ctx, FTRUN_OP_SIGMOID, gate);
  const Tensor rest = primitive::mul(ctx, primitive::affine(ctx, s, -1.0, 1.0), gate);
  const Tensor slope = primitive::mul(ctx, primitive::affine(ctx, rest, 1.0, 1.0), s);
  call.contribute(0, primitive::mul(ctx, primitive::mul(ctx, slope, up), dy));
}

void backward_fused(BackwardCall& call, const Tensor& gate, const Tensor& up) {
  ExecutionContext& ctx = call.context();
  const Tensor dgate = empty_like(ctx, gate, gate.dtype());
  const Tensor dup = empty_like(ctx, up, up.dtype());
  execute(ctx, FTRUN_OP_SWIGLU_BACKWARD, {call.gradient(), gate, up}, {dgate, dup});
  call.contribute(0, dgate);
  call.contribute(1, dup);
}

Tensor forward(ExecutionContext& ctx, const Tensor& gate, const Tensor& up) {
  if (!has_fused(gate, FTRUN_OP_SWIGLU)) {
    return primitive::binary(ctx, FTRUN_OP_MUL, primitive::unary(ctx, FTRUN_OP_SILU, gate), up, gate.dtype());
  }
  const Tensor y = empty_like(ctx, gate, gate.dtype());
  execute(ctx, FTRUN_OP_SWIGLU, {gate, up}, {y});
  return y;
}

}  // namespace

Tensor swiglu(ExecutionContext& ctx, const Tensor& gate_any, const Tensor& up_any) {
  const OpLabel label(ctx, FTRUN_OP_SWIGLU);
  require_float(FTRUN_OP_SWIGLU, "gate", gate_any);
  require_dtype(FTRUN_OP_SWIGLU, "up", up_any, gate_any.dtype());
  require_shape(FTRUN_OP_SWIGLU, "up", up_any, gate_any.shape());
  const Tensor gate = contiguous(ctx, gate_any);
  const Tensor up = contiguous(ctx, up_any);
  const Tensor y = forward(ctx, gate, up);
  const bool fused_backward = should_record(ctx, {gate, up}) && has_fused(gate, FTRUN_OP_SWIGLU_BACKWARD);
  record_op(ctx, FTRUN_OP_SWIGLU, {gate, up}, {y}, [gate, up, fused_backward](BackwardCall& call) {
    if (fused_backward) {
      backward_fused(call, gate, up);
    } else {
      backward_composed(call, gate, up);
    }
  });
  leave_recipe(ctx, y, [gate, up](ExecutionContext& scope) { return forward(scope, gate, up); });
  return y;
}

void register_swiglu(OpTable& table) {
  table[FTRUN_OP_SWIGLU] = {
      .min_inputs = 2, .max_inputs = 2, .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
        return std::vector{swiglu(ctx, in[0], in[1])};
      }};
}

}  // namespace ftrun::ops
