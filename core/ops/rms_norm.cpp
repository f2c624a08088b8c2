// RMS norm, alone and after the residual's sum: the device's fused kernel, or its composition from primitives.
#include "core/ops/rms_norm.h"

#include "core/autograd/saved_tensor.h"
#include "core/autograd/tape.h"
#include "core/ops/checks.h"
#include "core/ops/elementwise.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

struct NormResult {
  Tensor y;
  Tensor rstd;  // f32[..]
};

NormResult forward_fused(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, double eps) {
  auto values = attributes<ftrun_rms_norm_attributes>();
  values.eps = eps;
  NormResult result{empty_like(ctx, x, x.dtype()),
                    empty_on(ctx, x.device(), FTRUN_F32, x.shape().without_last(), FTRUN_MEMORY_ACTIVATIONS)};
  execute(ctx, FTRUN_OP_RMS_NORM, {x, weight}, {result.y, result.rstd}, &values);
  return result;
}

NormResult forward_composed(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, double eps) {
  const Tensor sums = primitive::sum_last(ctx, primitive::unary(ctx, FTRUN_OP_SQUARE, x));
  const Tensor mean = primitive::affine(ctx, sums, 1.0 / static_cast<double>(x.dim(-1)), eps);
  NormResult result;
  result.rstd = primitive::unary(ctx, FTRUN_OP_RSQRT, mean);
  const Tensor normalised = primitive::binary(ctx, FTRUN_OP_MUL, x, primitive::column(result.rstd), x.dtype());
  result.y = primitive::binary(ctx, FTRUN_OP_MUL, normalised, weight, x.dtype());
  return result;
}

NormResult forward(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, double eps) {
  return has_fused(x, FTRUN_OP_RMS_NORM) ? forward_fused(ctx, x, weight, eps) : forward_composed(ctx, x, weight, eps);
}

void backward_fused(BackwardCall& call, const Tensor& x, const Tensor& weight, const Tensor& rstd, double eps) {
  auto values = attributes<ftrun_rms_norm_attributes>();
  values.eps = eps;
  ExecutionContext& ctx = call.context();
  const Tensor dx = call.needs(0) ? empty_like(ctx, x, x.dtype()) : Tensor();
  const GradientDestination dweight = call.destination(1);
  values.accumulate = dweight.accumulate ? 1 : 0;
  execute(ctx, FTRUN_OP_RMS_NORM_BACKWARD, {call.gradient(), x, weight, rstd}, {dx, dweight.tensor}, &values);
  call.contribute(0, dx);
}

void backward_composed(BackwardCall& call, const Tensor& x, const Tensor& weight, const Tensor& rstd) {
  ExecutionContext& ctx = call.context();
  const Tensor& dy = call.gradient();
  const Tensor scale = primitive::column(rstd);
  const Tensor normalised = primitive::mul(ctx, x, scale);
  if (const GradientDestination dweight = call.destination(1)) {
    const Tensor products = primitive::mul(ctx, dy, normalised);
    primitive::sum_rows_into(ctx, products.reshape({x.shape().rows(), x.dim(-1)}), dweight.tensor, dweight.accumulate);
  }
  if (!call.needs(0)) return;
  // dx = rstd (g - n mean(g n)) with n = x rstd, g = dy weight
  const Tensor g = primitive::mul(ctx, dy, weight);
  const Tensor sums = primitive::sum_last(ctx, primitive::mul(ctx, g, normalised));
  const Tensor mean = primitive::affine(ctx, sums, 1.0 / static_cast<double>(x.dim(-1)), 0.0);
  const Tensor projected = primitive::mul(ctx, normalised, primitive::column(mean));
  const Tensor centred = primitive::sub(ctx, g, projected);
  call.contribute(0, primitive::binary(ctx, FTRUN_OP_MUL, centred, scale, x.dtype()));
}

}  // namespace

Tensor rms_norm(ExecutionContext& ctx, const Tensor& x_any, const Tensor& weight, double eps) {
  const OpLabel label(ctx, FTRUN_OP_RMS_NORM);
  require_float(FTRUN_OP_RMS_NORM, "x", x_any);
  require_float(FTRUN_OP_RMS_NORM, "weight", weight);
  if (x_any.ndim() == 0) require_ndim(FTRUN_OP_RMS_NORM, "x", x_any, 2);
  require_shape(FTRUN_OP_RMS_NORM, "weight", weight, {x_any.dim(-1)});
  const Tensor x = contiguous(ctx, x_any);
  const NormResult result = forward(ctx, x, weight, eps);
  const bool fused_backward = should_record(ctx, {x, weight}) && has_fused(x, FTRUN_OP_RMS_NORM_BACKWARD);
  record_op(ctx, FTRUN_OP_RMS_NORM, {x, weight}, {result.y},
            [x, saved = SavedTensor(weight), rstd = result.rstd, eps, fused_backward](BackwardCall& call) {
              if (fused_backward) {
                backward_fused(call, x, saved.get(call.context()), rstd, eps);
              } else {
                backward_composed(call, x, saved.get(call.context()), rstd);
              }
            });
  leave_recipe(ctx, result.y, [x, saved = SavedTensor(weight), eps](ExecutionContext& scope) {
    return forward(scope, x, saved.get(scope), eps).y;
  });
  return result.y;
}

namespace {

/// dx = dsum + the norm's gradient, for both summands.
void add_backward(BackwardCall& call, const Tensor& sum, const Tensor& weight, const Tensor& rstd, double eps) {
  const Tensor& dsum = call.gradient(0);
  const Tensor& dy = call.gradient(1);
  Tensor dx = dsum;
  if (dy) {
    auto values = attributes<ftrun_rms_norm_attributes>();
    values.eps = eps;
    ExecutionContext& ctx = call.context();
    dx = call.needs(0) || call.needs(1) ? empty_like(ctx, sum, sum.dtype()) : Tensor();
    const GradientDestination dweight = call.destination(2);
    values.accumulate = dweight.accumulate ? 1 : 0;
    if (dsum) {
      execute(ctx, FTRUN_OP_ADD_RMS_NORM_BACKWARD, {dsum, dy, sum, weight, rstd}, {dx, dweight.tensor}, &values);
    } else {
      execute(ctx, FTRUN_OP_RMS_NORM_BACKWARD, {dy, sum, weight, rstd}, {dx, dweight.tensor}, &values);
    }
  }
  call.contribute(0, dx);
  call.contribute(1, dx);
}

bool has_fused_add(const Tensor& x) {
  return has_fused(x, FTRUN_OP_ADD_RMS_NORM) && has_fused(x, FTRUN_OP_ADD_RMS_NORM_BACKWARD) &&
         has_fused(x, FTRUN_OP_RMS_NORM_BACKWARD);
}

}  // namespace

std::pair<Tensor, Tensor> add_rms_norm(ExecutionContext& ctx, const Tensor& x_any, const Tensor& delta_any,
                                       const Tensor& weight, double eps) {
  const OpLabel label(ctx, FTRUN_OP_ADD_RMS_NORM);
  require_float(FTRUN_OP_ADD_RMS_NORM, "x", x_any);
  require_dtype(FTRUN_OP_ADD_RMS_NORM, "delta", delta_any, x_any.dtype());
  require_shape(FTRUN_OP_ADD_RMS_NORM, "delta", delta_any, x_any.shape());
  require_float(FTRUN_OP_ADD_RMS_NORM, "weight", weight);
  if (x_any.ndim() == 0) require_ndim(FTRUN_OP_ADD_RMS_NORM, "x", x_any, 2);
  require_shape(FTRUN_OP_ADD_RMS_NORM, "weight", weight, {x_any.dim(-1)});
  if (!has_fused_add(x_any)) {
    const Tensor sum = add(ctx, x_any, delta_any);
    return {sum, rms_norm(ctx, sum, weight, eps)};
  }
  const Tensor x = contiguous(ctx, x_any);
  const Tensor delta = contiguous(ctx, delta_any);
  auto values = attributes<ftrun_rms_norm_attributes>();
  values.eps = eps;
  const Tensor sum = empty_like(ctx, x, x.dtype());
  const Tensor y = empty_like(ctx, x, x.dtype());
  const Tensor rstd = empty_on(ctx, x.device(), FTRUN_F32, x.shape().without_last(), FTRUN_MEMORY_ACTIVATIONS);
  execute(ctx, FTRUN_OP_ADD_RMS_NORM, {x, delta, weight}, {sum, y, rstd}, &values);
  record_op(ctx, FTRUN_OP_ADD_RMS_NORM, {x, delta, weight}, {sum, y},
            [sum = sum.detach(), saved = SavedTensor(weight), rstd, eps](BackwardCall& call) {
              add_backward(call, sum, saved.get(call.context()), rstd, eps);
            });
  leave_recipe(ctx, y, [sum = sum.detach(), saved = SavedTensor(weight), eps](ExecutionContext& scope) {
    return forward(scope, sum, saved.get(scope), eps).y;
  });
  return {sum, y};
}

void register_rms_norm(OpTable& table) {
  table[FTRUN_OP_RMS_NORM] = {.min_inputs = 2,
                              .max_inputs = 2,
                              .attribute_bytes = sizeof(ftrun_rms_norm_attributes),
                              .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                                const auto& values = *static_cast<const ftrun_rms_norm_attributes*>(attributes);
                                require_zero(FTRUN_OP_RMS_NORM, "accumulate", values.accumulate);
                                require_zero(FTRUN_OP_RMS_NORM, "reserved", values.reserved);
                                return std::vector{rms_norm(ctx, in[0], in[1], values.eps)};
                              }};
  table[FTRUN_OP_ADD_RMS_NORM] = {.min_inputs = 3,
                                  .max_inputs = 3,
                                  .attribute_bytes = sizeof(ftrun_rms_norm_attributes),
                                  .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                                    const auto& values = *static_cast<const ftrun_rms_norm_attributes*>(attributes);
                                    require_zero(FTRUN_OP_ADD_RMS_NORM, "accumulate", values.accumulate);
                                    require_zero(FTRUN_OP_ADD_RMS_NORM, "reserved", values.reserved);
                                    auto [sum, y] = add_rms_norm(ctx, in[0], in[1], in[2], values.eps);
                                    return std::vector{std::move(sum), std::move(y)};
                                  }};
}

}  // namespace ftrun::ops
