// The head's loss and log-probabilities: fused kernels or their composition, and recording.
#include "core/ops/linear_cross_entropy.h"

#include "core/autograd/saved_tensor.h"
#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/checks.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"
#include "core/ops/linear_cross_entropy_composed.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

constexpr const char* kName = FTRUN_OP_LINEAR_CROSS_ENTROPY;

HeadCall checked_call(ExecutionContext& ctx, const Tensor& hidden, const Tensor& weight, const Tensor& labels,
                      double inv_temperature) {
  require_float(kName, "hidden", hidden);
  require_ndim(kName, "hidden", hidden, 2);
  require_dtype(kName, "head weight", weight, hidden.dtype());
  require_ndim(kName, "head weight", weight, 2);
  require_shape(kName, "head weight", weight, {weight.dim(0), hidden.dim(1)});
  require_dtype(kName, "labels", labels, FTRUN_I32);
  require_shape(kName, "labels", labels, {hidden.dim(0)});
  return {contiguous(ctx, hidden), weight, labels, inv_temperature};
}

HeadResult forward(ExecutionContext& ctx, const HeadCall& call, bool with_entropy) {
  if (call.x_TD.dim(0) == 0 || !has_fused(call.x_TD, FTRUN_OP_LINEAR_CROSS_ENTROPY)) {
    return linear_cross_entropy_composed(ctx, call, with_entropy);
  }
  auto values = attributes<ftrun_linear_cross_entropy_attributes>();
  values.inv_temperature = call.inv_temperature;
  const Shape shape{call.x_TD.dim(0)};
  HeadResult result;
  result.loss_T = empty(ctx, FTRUN_F32, shape);
  result.lse_T = empty(ctx, FTRUN_F32, shape);
  if (with_entropy) result.entropy_T = empty(ctx, FTRUN_F32, shape);
  execute(ctx, kName, {call.x_TD, call.weight_VD, call.labels_T}, {result.loss_T, result.lse_T, result.entropy_T},
          &values);
  return result;
}

/// What a forward that knows its rows' weights computes besides the loss. Empty where nobody wants it.
struct EarlyGradients {
  Tensor dx_TD;
  Tensor dweight_VD;  ///< f32: a tied weight's other uses are added before it is rounded
};

bool can_differentiate_early(const ExecutionContext& ctx, const HeadCall& call) {
  return call.x_TD.dim(0) > 0 && should_record(ctx, {call.x_TD, call.weight_VD}) &&
         has_fused(call.x_TD, FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS);
}

/// Loss and gradients in one pass over the logits.
HeadResult forward_with_gradients(ExecutionContext& ctx, const HeadCall& call, const Tensor& dloss_T,
                                  EarlyGradients& gradients) {
  auto values = attributes<ftrun_linear_cross_entropy_attributes>();
  values.inv_temperature = call.inv_temperature;
  const Shape shape{call.x_TD.dim(0)};
  HeadResult result{empty(ctx, FTRUN_F32, shape), empty(ctx, FTRUN_F32, shape), {}};
  if (call.x_TD.requires_grad()) gradients.dx_TD = empty_like(ctx, call.x_TD, call.x_TD.dtype());
  if (call.weight_VD.requires_grad()) {
    gradients.dweight_VD = empty_like(ctx, call.weight_VD, FTRUN_F32, FTRUN_MEMORY_WORKSPACE);
  }
  execute(ctx, FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS, {call.x_TD, call.weight_VD, call.labels_T, dloss_T},
          {result.loss_T, result.lse_T, gradients.dx_TD, gradients.dweight_VD}, &values);
  return result;
}

/// Hands the finished gradients on. A loss that is not the root itself scales them first; in bf16 that rounds dx twice.
void contribute_early(BackwardCall& node, EarlyGradients& gradients) {
  Tensor found[] = {std::move(gradients.dx_TD), std::move(gradients.dweight_VD)};
  for (size_t input = 0; input < 2; ++input) {
    if (!found[input]) continue;
    if (!node.is_seed()) execute(node.context(), FTRUN_OP_MUL, {found[input], node.gradient()}, {found[input]});
    node.contribute(input, std::move(found[input]));
  }
}

/// Inputs 0 and 1 of the node are hidden and weight.
void backward(BackwardCall& node, const HeadCall& call, const Tensor& dloss_T, const Tensor& lse_T) {
  ExecutionContext& ctx = node.context();
  const Tensor dx = node.needs(0) ? empty_like(ctx, call.x_TD, call.x_TD.dtype()) : Tensor();
  {
    const GradientDestination dweight = node.destination(1);
    if (call.x_TD.dim(0) == 0 || !has_fused(call.x_TD, FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD)) {
      linear_cross_entropy_backward_composed(ctx, call, dloss_T, lse_T, dx, dweight);
    } else {
      auto values = attributes<ftrun_linear_cross_entropy_attributes>();
      values.inv_temperature = call.inv_temperature;
      values.accumulate = dweight.accumulate ? 1 : 0;
      execute(ctx, FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD, {dloss_T, call.x_TD, call.weight_VD, call.labels_T, lse_T},
              {dx, dweight.tensor}, &values);
    }
  }
  node.contribute(0, dx);
}

/// Records `out`, whose gradient `dloss_of` turns into the gradient of the rows' losses.
template <class GradientOfLoss>
void record_head(ExecutionContext& ctx, const HeadCall& call, const HeadResult& result, const Tensor& out,
                 GradientOfLoss dloss_of) {
  HeadCall kept = call;
  kept.weight_VD = {};
  record_op(ctx, kName, {call.x_TD, call.weight_VD}, {out},
            [kept, weight = SavedTensor(call.weight_VD), lse = result.lse_T, dloss_of](BackwardCall& node) {
              HeadCall again = kept;
              again.weight_VD = weight.get(node.context());
              backward(node, again, dloss_of(node.context(), node.gradient()), lse);
            });
}

}  // namespace

Tensor cross_entropy_sum(ExecutionContext& ctx, const Tensor& hidden, const Tensor& head_weight, const Tensor& labels,
                         const Tensor& weights, double scale) {
  const OpLabel label(ctx, kName);
  const HeadCall call = checked_call(ctx, hidden, head_weight, labels, 1.0);
  if (weights) {
    require_dtype(kName, "weights", weights, FTRUN_F32);
    require_shape(kName, "weights", weights, labels.shape());
  }
  const auto sum_of = [&](const Tensor& loss_T) {
    const Tensor weighted = weights ? primitive::mul(ctx, loss_T, weights) : loss_T;
    return primitive::affine(ctx, primitive::sum_all(ctx, weighted), scale, 0.0);
  };
  if (can_differentiate_early(ctx, call)) {
    const Tensor dloss_T =
        weights ? primitive::affine(ctx, weights, scale, 0.0) : full(ctx, FTRUN_F32, labels.shape(), scale);
    EarlyGradients gradients;
    const Tensor loss = sum_of(forward_with_gradients(ctx, call, dloss_T, gradients).loss_T);
    record_op(ctx, kName, {call.x_TD, call.weight_VD}, {loss},
              [gradients = std::move(gradients)](BackwardCall& node) mutable { contribute_early(node, gradients); });
    return loss;
  }
  const HeadResult result = forward(ctx, call, false);
  const Tensor loss = sum_of(result.loss_T);
  record_head(
      ctx, call, result, loss, [weights, scale, shape = labels.shape()](ExecutionContext& scope, const Tensor& dy) {
        const Tensor scaled = primitive::affine(scope, dy, scale, 0.0);
        return weights ? primitive::mul(scope, weights, scaled) : primitive::broadcast(scope, scaled, shape, FTRUN_F32);
      });
  return loss;
}

LogProbabilities logprobs(ExecutionContext& ctx, const Tensor& hidden, const Tensor& head_weight, const Tensor& labels,
                          double temperature, bool with_entropy) {
  const OpLabel label(ctx, kName);
  if (!(temperature > 0.0)) throw invalid_argument("logprobs: the temperature {} must be positive", temperature);
  const HeadCall call = checked_call(ctx, hidden, head_weight, labels, 1.0 / temperature);
  const HeadResult result = forward(ctx, call, with_entropy);
  LogProbabilities out{primitive::affine(ctx, result.loss_T, -1.0, 0.0), result.entropy_T};
  record_head(ctx, call, result, out.logp,
              [](ExecutionContext& scope, const Tensor& dy) { return primitive::affine(scope, dy, -1.0, 0.0); });
  return out;
}

void register_linear_cross_entropy(OpTable& table) {
  table[kName] = {.min_inputs = 3,
                  .max_inputs = 3,
                  .max_outputs = 3,
                  .attribute_bytes = sizeof(ftrun_linear_cross_entropy_attributes),
                  .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                    const auto& values = *static_cast<const ftrun_linear_cross_entropy_attributes*>(attributes);
                    require_zero(kName, "accumulate", values.accumulate);
                    require_zero(kName, "reserved", values.reserved);
                    const HeadCall call = checked_call(ctx, in[0], in[1], in[2], values.inv_temperature);
                    const HeadResult result = forward(ctx, call, true);
                    record_head(ctx, call, result, result.loss_T,
                                [](ExecutionContext&, const Tensor& dy) { return dy; });
                    return std::vector{result.loss_T, result.lse_T, result.entropy_T};
                  }};
}

}  // namespace ftrun::ops
