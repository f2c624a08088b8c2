// ftrun_context_api: what networks and paradigms call, by parameter id and role.
#include <vector>

#include "core/model/abi_struct.h"
#include "core/model/adapted_linear.h"
#include "core/model/api_tables.h"
#include "core/model/dropout.h"
#include "core/model/thunk.h"
#include "core/ops/attention.h"
#include "core/ops/embedding.h"
#include "core/ops/rms_norm.h"
#include "core/ops/rope.h"

namespace ftrun {
namespace {

ActiveUnit& active_unit(ftrun_context* ctx, std::string_view call) {
  ActiveUnit& active = rank_of(ctx).active();
  if (active.role == nullptr) throw failed_precondition("{} is only for unit_forward", call);
  return active;
}

/// A parameter that the unit being computed owns or is tied to.
Tensor parameter_of(const ActiveUnit& active, int32_t id, std::string_view call) {
  const NetworkModel& model = active.role->model();
  const ModelParameter& declared = model.parameter(id);
  bool belongs = declared.unit == active.unit;
  for (const ParameterTie& tie : declared.ties) belongs = belongs || tie.unit == active.unit;
  if (!belongs) {
    throw invalid_argument("{}: parameter '{}' belongs to unit '{}', not to '{}'", call, declared.name,
                           model.units()[static_cast<size_t>(declared.unit)].name,
                           model.units()[static_cast<size_t>(active.unit)].name);
  }
  return active.parameter(id);
}

ftrun_status embed(ftrun_context* ctx, int32_t parameter, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    const ActiveUnit& active = active_unit(ctx, "embed");
    *out = ops::embedding(*ctx, parameter_of(active, parameter, "embed"), active.batch->ids).release();
  });
}

void check_linear(const ActiveUnit& active, const Tensor& x, int32_t weight, int32_t bias) {
  const NetworkModel& model = active.role->model();
  const ModelParameter& declared = model.parameter(weight);
  if (declared.shape.size() != 2 || x.ndim() < 1 || x.dim(-1) != declared.shape[1]) {
    throw invalid_argument("linear: parameter '{}' of shape {} does not fit {}", declared.name,
                           shape_text(Shape(declared.shape)), x.text());
  }
  if (bias >= 0 && model.parameter(bias).shape != std::vector<int64_t>{declared.shape[0]}) {
    throw invalid_argument("linear: bias '{}' of shape {} does not fit '{}'", model.parameter(bias).name,
                           shape_text(Shape(model.parameter(bias).shape)), declared.name);
  }
}

ftrun_status linear(ftrun_context* ctx, ftrun_tensor* x, int32_t n, const int32_t* weights, const int32_t* biases,
                    ftrun_tensor** out) noexcept {
  for (int32_t i = 0; i < n; ++i) out[i] = nullptr;
  return guard_abi([&] {
    ActiveUnit& active = active_unit(ctx, "linear");
    const Tensor input = borrowed(x, "linear");
    const std::span<const int32_t> weight_ids(weights, static_cast<size_t>(n));
    const std::span<const int32_t> bias_ids(biases, biases == nullptr ? 0 : static_cast<size_t>(n));
    for (size_t i = 0; i < weight_ids.size(); ++i) {
      const int32_t bias = bias_ids.empty() ? -1 : bias_ids[i];
      check_linear(active, input, weight_ids[i], bias);
      parameter_of(active, weight_ids[i], "linear");
      if (bias >= 0) parameter_of(active, bias, "linear");
    }
    std::vector<Tensor> results = adapted_linear(*ctx, active, input, weight_ids, bias_ids);
    for (int32_t i = 0; i < n; ++i) out[i] = results[static_cast<size_t>(i)].release();
  });
}

ftrun_status norm(ftrun_context* ctx, ftrun_tensor* x, int32_t parameter, double eps, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    const ActiveUnit& active = active_unit(ctx, "norm");
    *out = ops::rms_norm(*ctx, borrowed(x, "norm"), parameter_of(active, parameter, "norm"), eps).release();
  });
}

ftrun_status add_norm(ftrun_context* ctx, ftrun_tensor* x, ftrun_tensor* delta, int32_t parameter, double eps,
                      ftrun_tensor** sum, ftrun_tensor** out) noexcept {
  *sum = nullptr;
  *out = nullptr;
  return guard_abi([&] {
    const ActiveUnit& active = active_unit(ctx, "add_norm");
    auto [added, normed] = ops::add_rms_norm(*ctx, borrowed(x, "add_norm"), borrowed(delta, "add_norm"),
                                             parameter_of(active, parameter, "add_norm"), eps);
    *sum = added.release();
    *out = normed.release();
  });
}

ftrun_status rope(ftrun_context* ctx, ftrun_tensor* x, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    const ActiveUnit& active = active_unit(ctx, "rope");
    *out = ops::rope(*ctx, borrowed(x, "rope"), active.batch->rope).release();
  });
}

ftrun_status attention(ftrun_context* ctx, int32_t layer, ftrun_tensor* q, ftrun_tensor* k, ftrun_tensor* v,
                       double scale, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    Rank& rank = rank_of(ctx);
    const ActiveUnit& active = active_unit(ctx, "attention");
    if (layer < 0 || layer >= active.role->model().info().n_layers)
      throw invalid_argument("attention: layer {}", layer);
    const Tensor query = borrowed(q, "attention");
    const Tensor key = borrowed(k, "attention");
    const Tensor value = borrowed(v, "attention");
    AttentionBackend* backend = rank.attention_backend();
    const Tensor mixed = backend != nullptr ? backend->attend(*ctx, layer, query, key, value, scale)
                                            : ops::attention(*ctx, query, key, value, active.batch->segments, scale);
    *out = Tensor(mixed).release();
  });
}

ftrun_status parameter(ftrun_context* ctx, int32_t id, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] { *out = parameter_of(active_unit(ctx, "parameter"), id, "parameter").release(); });
}

ftrun_status apply_dropout(ftrun_context* ctx, ftrun_tensor* x, double probability, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    Rank& rank = rank_of(ctx);
    ActiveUnit& active = active_unit(ctx, "dropout");
    Tensor input = borrowed(x, "dropout");
    const int32_t site = active.dropout_site++;
    if (probability == 0 || !rank.training() || !active.role->trained()) {
      *out = input.release();
      return;
    }
    const DropoutKey key = {rank.arguments().seed, static_cast<uint64_t>(rank.steps()), active.unit, site};
    *out = dropout(*ctx, input, probability, *active.batch, key).release();
  });
}

ftrun_status forward(ftrun_context* ctx, int32_t role, const ftrun_batch* batch, ftrun_tensor** hidden) noexcept {
  *hidden = nullptr;
  return guard_abi([&] {
    if (batch == nullptr) throw invalid_argument("forward: the batch is NULL");
    *hidden = rank_of(ctx).forward(role, *batch).release();
  });
}

template <typename T>
std::span<const T> rows_of(const T* data, const Tensor& hidden, std::string_view call) {
  const int64_t tokens = hidden.ndim() < 1 ? 0 : hidden.dim(0);
  if (data == nullptr && tokens > 0) throw invalid_argument("{}: labels are NULL", call);
  return {data, static_cast<size_t>(tokens)};
}

ftrun_status head_cross_entropy_sum(ftrun_context* ctx, int32_t role, ftrun_tensor* hidden, const int32_t* labels,
                                    const float* weights, double scale, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    const Tensor states = borrowed(hidden, "head_cross_entropy_sum");
    const auto targets = rows_of(labels, states, "head_cross_entropy_sum");
    const std::span<const float> token_weights(weights, weights == nullptr ? 0 : targets.size());
    *out = rank_of(ctx).head_cross_entropy_sum(role, states, targets, token_weights, scale).release();
  });
}

ftrun_status head_logprobs(ftrun_context* ctx, int32_t role, ftrun_tensor* hidden, const int32_t* labels,
                           double temperature, ftrun_tensor** logp, ftrun_tensor** entropy) noexcept {
  *logp = nullptr;
  if (entropy != nullptr) *entropy = nullptr;
  return guard_abi([&] {
    const Tensor states = borrowed(hidden, "head_logprobs");
    const auto targets = rows_of(labels, states, "head_logprobs");
    auto found = rank_of(ctx).head_logprobs(role, states, targets, temperature, entropy != nullptr);
    *logp = found.logp.release();
    if (entropy != nullptr) *entropy = found.entropy.release();
  });
}

ftrun_status head_logits(ftrun_context* ctx, int32_t role, ftrun_tensor* hidden, int64_t n, const int64_t* rows,
                         ftrun_tensor** logits) noexcept {
  *logits = nullptr;
  return guard_abi([&] {
    if (n < 0 || (n > 0 && rows == nullptr)) throw invalid_argument("head_logits: {} rows", n);
    const std::span<const int64_t> chosen(rows, static_cast<size_t>(n));
    *logits = rank_of(ctx).head_logits(role, borrowed(hidden, "head_logits"), chosen).release();
  });
}

ftrun_status head_scalar(ftrun_context* ctx, int32_t role, ftrun_str name, ftrun_tensor* hidden,
                         ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi(
      [&] { *out = rank_of(ctx).head_scalar(role, text_of(name), borrowed(hidden, "head_scalar")).release(); });
}

ftrun_status rank_and_world(ftrun_context* ctx, int32_t* rank, int32_t* world) noexcept {
  return guard_abi([&] {
    *rank = rank_of(ctx).arguments().rank;
    *world = rank_of(ctx).arguments().world;
  });
}

ftrun_status keeps_shapes_only(ftrun_context* ctx, int32_t* out) noexcept {
  return guard_abi([&] { *out = shapes_only(*ctx) ? 1 : 0; });
}

constexpr ftrun_context_api kTable = {{sizeof(ftrun_context_api), FTRUN_CONTEXT_API_TAG},
                                      embed,
                                      linear,
                                      norm,
                                      add_norm,
                                      rope,
                                      attention,
                                      parameter,
                                      apply_dropout,
                                      forward,
                                      head_cross_entropy_sum,
                                      head_logprobs,
                                      head_logits,
                                      head_scalar,
                                      rank_and_world,
                                      keeps_shapes_only};

}  // namespace

const ftrun_context_api* context_api_table() noexcept { return &kTable; }

}  // namespace ftrun
