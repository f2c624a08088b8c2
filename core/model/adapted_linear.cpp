// One call of the linear op where every adapter is a plain pair; compositions where one is not.
#include "core/model/adapted_linear.h"

#include "core/model/dropout.h"
#include "core/model/rank.h"
#include "core/ops/elementwise.h"
#include "core/ops/layout.h"
#include "core/ops/matmul.h"
#include "core/ops/reductions.h"

namespace ftrun {
namespace {

/// One weight of the call.
struct Layer {
  Tensor weight_OI;
  Tensor bias_O;                           ///< empty: none
  const LinearAdapter* adapter = nullptr;  ///< NULL: none in use
};

std::vector<Layer> layers_of(const ActiveUnit& active, std::span<const int32_t> weights,
                             std::span<const int32_t> biases) {
  std::vector<Layer> layers;
  for (size_t i = 0; i < weights.size(); ++i) {
    const int32_t bias = i < biases.size() ? biases[i] : -1;
    const bool adapted = active.tensors != WalkedTensors::kAdaptersOff;
    layers.push_back({active.parameter(weights[i]), bias < 0 ? Tensor() : active.parameter(bias),
                      adapted ? active.role->model().adapter_of(weights[i]) : nullptr});
  }
  return layers;
}

ops::LowRankPair pair_of(const ActiveUnit& active, const LinearAdapter* adapter) {
  if (adapter == nullptr) return {};
  return {active.parameter(adapter->a), active.parameter(adapter->b), adapter->scale};
}

bool drops_out(const ftrun_context& ctx, const ActiveUnit& active, const LinearAdapter& adapter) {
  return adapter.dropout > 0 && ctx.rank->training() && active.role->trained() && active.tensors == WalkedTensors::kAll;
}

bool is_plain(const ftrun_context& ctx, const ActiveUnit& active, const LinearAdapter* adapter) {
  return adapter == nullptr || (adapter->magnitude < 0 && !drops_out(ctx, active, *adapter));
}

std::vector<Tensor> plain(ftrun_context& ctx, const ActiveUnit& active, const Tensor& x,
                          std::span<const Layer> layers) {
  std::vector<Tensor> weights;
  std::vector<Tensor> biases;
  std::vector<ops::LowRankPair> pairs;
  bool any = false;
  for (const Layer& layer : layers) {
    weights.push_back(layer.weight_OI);
    biases.push_back(layer.bias_O);
    pairs.push_back(pair_of(active, layer.adapter));
    any = any || layer.adapter != nullptr;
  }
  return ops::linear(ctx, x, weights, biases,
                     any ? std::span<const ops::LowRankPair>(pairs) : std::span<const ops::LowRankPair>());
}

Tensor one_linear(ftrun_context& ctx, const Tensor& x, const Tensor& weight, const ops::LowRankPair& pair) {
  const Tensor weights[] = {weight};
  const ops::LowRankPair pairs[] = {pair};
  return ops::linear(ctx, x, weights, {}, std::span(pairs, pair.a_RI ? 1u : 0u)).front();
}

/// scale (x A^T) B^T
Tensor low_rank(ftrun_context& ctx, const Tensor& x, const ops::LowRankPair& pair) {
  return ops::affine(ctx, ops::linear(ctx, ops::linear(ctx, x, pair.a_RI), pair.b_OR), pair.scale);
}

/// magnitude / norm of the adapted rows, in x's dtype.
Tensor magnitude_scale(ftrun_context& ctx, const ActiveUnit& active, const Layer& layer, ftrun_dtype dtype) {
  const ops::LowRankPair pair = pair_of(active, layer.adapter);
  const Tensor norm_O = adapted_row_norms(ctx, layer.weight_OI, pair.a_RI.detach(), pair.b_OR.detach(), pair.scale);
  const Tensor magnitude_O = active.parameter(layer.adapter->magnitude);
  return ops::cast(ctx, ops::div(ctx, ops::cast(ctx, magnitude_O, FTRUN_F32), norm_O), dtype);
}

Tensor dropped(ftrun_context& ctx, ActiveUnit& active, const LinearAdapter& adapter, const Tensor& x) {
  const int32_t site = active.dropout_site++;
  if (!drops_out(ctx, active, adapter)) return x;
  const DropoutKey key = {ctx.rank->arguments().seed, static_cast<uint64_t>(ctx.rank->steps()), active.unit, site};
  return dropout(ctx, x, adapter.dropout, *active.batch, key);
}

Tensor composed(ftrun_context& ctx, ActiveUnit& active, const Tensor& x, const Layer& layer) {
  const ops::LowRankPair pair = pair_of(active, layer.adapter);
  const bool drops = drops_out(ctx, active, *layer.adapter);
  const Tensor x_dropped = dropped(ctx, active, *layer.adapter, x);
  if (layer.adapter->magnitude < 0) {
    return ops::add(ctx, ops::linear(ctx, x, layer.weight_OI, layer.bias_O), low_rank(ctx, x_dropped, pair));
  }
  const Tensor scale_O = magnitude_scale(ctx, active, layer, x.dtype());
  if (!drops) {
    const Tensor scaled = ops::mul(ctx, one_linear(ctx, x, layer.weight_OI, pair), scale_O);
    return layer.bias_O ? ops::add(ctx, scaled, layer.bias_O) : scaled;
  }
  // base(x) + (s - 1) W x' + s scale B A x', x' being what dropout left of x.
  const Tensor base = ops::linear(ctx, x, layer.weight_OI, layer.bias_O);
  const Tensor kept = ops::linear(ctx, x_dropped, layer.weight_OI);
  const Tensor moved = ops::mul(ctx, ops::add(ctx, kept, low_rank(ctx, x_dropped, pair)), scale_O);
  return ops::add(ctx, base, ops::sub(ctx, moved, kept));
}

}  // namespace

Tensor adapted_row_norms(ExecutionContext& ctx, const Tensor& weight_OI, const Tensor& a_RI, const Tensor& b_OR,
                         double scale) {
  const NoGradGuard off(ctx);
  Tensor rows_OI = ops::copy(ctx, ops::cast(ctx, weight_OI.detach(), FTRUN_F32));
  if (a_RI) {
    const Tensor a = ops::cast(ctx, a_RI, FTRUN_F32);
    const Tensor b = ops::cast(ctx, b_OR, FTRUN_F32);
    ops::matmul_into(ctx, b, a, rows_OI, false, false, true, scale);
  }
  return ops::unary(ctx, FTRUN_OP_SQRT, ops::sum_last(ctx, ops::unary(ctx, FTRUN_OP_SQUARE, rows_OI)));
}

std::vector<Tensor> adapted_linear(ftrun_context& ctx, ActiveUnit& active, const Tensor& x,
                                   std::span<const int32_t> weights, std::span<const int32_t> biases) {
  const std::vector<Layer> layers = layers_of(active, weights, biases);
  bool all_plain = true;
  for (const Layer& layer : layers) all_plain = all_plain && is_plain(ctx, active, layer.adapter);
  if (all_plain) return plain(ctx, active, x, layers);
  std::vector<Tensor> results;
  results.reserve(layers.size());
  for (const Layer& layer : layers) {
    results.push_back(is_plain(ctx, active, layer.adapter) ? plain(ctx, active, x, std::span(&layer, 1)).front()
                                                           : composed(ctx, active, x, layer));
  }
  return results;
}

}  // namespace ftrun
