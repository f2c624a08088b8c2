// Attention: checks, the device's fused kernels, and recording.
#include "core/ops/attention.h"

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/attention_composed.h"
#include "core/ops/checks.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"

namespace ftrun::ops {
namespace {

constexpr const char* kName = FTRUN_OP_FLASH_ATTENTION;

void check_segments(const AttentionSegments& segments, int64_t n_queries, int64_t n_keys, bool causal) {
  const std::vector<int32_t>& offsets = segments.query_offsets;
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != n_queries) {
    throw invalid_argument("op '{}': query_offsets must run from 0 to the {} query rows", kName, n_queries);
  }
  const size_t n = offsets.size() - 1;
  if (segments.key_begins.size() != segments.key_lengths.size() ||
      (!segments.key_begins.empty() && segments.key_begins.size() != n)) {
    throw invalid_argument("op '{}': {} segments need as many key_begins and key_lengths, or none", kName, n);
  }
  for (size_t s = 0; s < n; ++s) {
    const int64_t queries = offsets[s + 1] - offsets[s];
    const int64_t key_begin = segments.key_begins.empty() ? offsets[s] : segments.key_begins[s];
    const int64_t keys = segments.key_lengths.empty() ? queries : segments.key_lengths[s];
    if (queries < 0 || keys < 0 || key_begin < 0 || key_begin + keys > n_keys) {
      throw invalid_argument("op '{}': segment {} has {} queries and the keys [{}, {}) of {}", kName, s, queries,
                             key_begin, key_begin + keys, n_keys);
    }
    if (queries > 0 && (keys == 0 || (causal && keys < queries))) {
      throw invalid_argument("op '{}': segment {} has {} queries but only {} keys", kName, s, queries, keys);
    }
  }
}

void check_call(const AttentionCall& call) {
  require_float(kName, "q", call.q_THC);
  require_ndim(kName, "q", call.q_THC, 3);
  for (const Tensor& x : {call.k_SKC, call.v_SKC}) {
    require_dtype(kName, "k and v", x, call.q_THC.dtype());
    require_ndim(kName, "k and v", x, 3);
    require_shape(kName, "k and v", x, call.k_SKC.shape());
  }
  const int64_t kv_heads = call.k_SKC.dim(1);
  if (kv_heads == 0 || call.q_THC.dim(1) % kv_heads != 0 || call.k_SKC.dim(2) != call.q_THC.dim(2)) {
    throw invalid_argument("op '{}': k {} does not fit q {}: heads must be a multiple, head_dim equal", kName,
                           call.k_SKC.text(), call.q_THC.text());
  }
  if (call.segments == nullptr) throw invalid_argument("op '{}': no segments given", kName);
  check_segments(*call.segments, call.q_THC.dim(0), call.k_SKC.dim(0), call.causal);
}

ftrun_attention_attributes attributes_of(const AttentionCall& call) {
  auto values = attributes<ftrun_attention_attributes>();
  values.scale = call.scale;
  values.causal = call.causal ? 1 : 0;
  values.n_segments = call.segments->count();
  values.query_offsets = call.segments->query_offsets.data();
  if (!call.segments->key_begins.empty()) {
    values.key_begins = call.segments->key_begins.data();
    values.key_lengths = call.segments->key_lengths.data();
  }
  return values;
}

AttentionResult forward(ExecutionContext& ctx, const AttentionCall& call) {
  if (!has_fused(call.q_THC, FTRUN_OP_FLASH_ATTENTION)) return attention_composed(ctx, call);
  AttentionResult result;
  result.out_THC = empty_like(ctx, call.q_THC, call.q_THC.dtype());
  result.lse_HT =
      empty_on(ctx, call.q_THC.device(), FTRUN_F32, {call.q_THC.dim(1), call.q_THC.dim(0)}, FTRUN_MEMORY_ACTIVATIONS);
  if (call.q_THC.dim(0) == 0) return result;
  const ftrun_attention_attributes values = attributes_of(call);
  execute(ctx, FTRUN_OP_FLASH_ATTENTION, {call.q_THC, call.k_SKC, call.v_SKC}, {result.out_THC, result.lse_HT},
          &values);
  return result;
}

AttentionGradients gradients(ExecutionContext& ctx, const AttentionCall& call, const AttentionResult& result,
                             const Tensor& dout) {
  if (call.q_THC.dim(0) == 0 || !has_fused(call.q_THC, FTRUN_OP_FLASH_ATTENTION_BACKWARD)) {
    return attention_backward_composed(ctx, call, result, dout);
  }
  const AttentionGradients g{empty_like(ctx, call.q_THC, call.q_THC.dtype()),
                             empty_like(ctx, call.k_SKC, call.k_SKC.dtype()),
                             empty_like(ctx, call.v_SKC, call.v_SKC.dtype())};
  const ftrun_attention_attributes values = attributes_of(call);
  execute(ctx, FTRUN_OP_FLASH_ATTENTION_BACKWARD,
          {dout, call.q_THC, call.k_SKC, call.v_SKC, result.out_THC, result.lse_HT}, {g.dq, g.dk, g.dv}, &values);
  return g;
}

}  // namespace

Tensor attention(ExecutionContext& ctx, const Tensor& q, const Tensor& k, const Tensor& v,
                 std::shared_ptr<const AttentionSegments> segments, double scale, bool causal) {
  const OpLabel label(ctx, kName);
  AttentionCall call{q, k, v, std::move(segments), scale, causal};
  check_call(call);
  call.q_THC = contiguous(ctx, q);
  call.k_SKC = contiguous(ctx, k);
  call.v_SKC = contiguous(ctx, v);
  const AttentionResult result = forward(ctx, call);
  record_op(ctx, kName, {call.q_THC, call.k_SKC, call.v_SKC}, {result.out_THC}, [call, result](BackwardCall& node) {
    AttentionGradients g = gradients(node.context(), call, result, node.gradient());
    node.contribute(0, std::move(g.dq));
    node.contribute(1, std::move(g.dk));
    node.contribute(2, std::move(g.dv));
  });
  return result.out_THC;
}

void register_attention(OpTable& table) {
  table[kName] = {.min_inputs = 3,
                  .max_inputs = 3,
                  .attribute_bytes = sizeof(ftrun_attention_attributes),
                  .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                    const auto& values = *static_cast<const ftrun_attention_attributes*>(attributes);
                    if (values.n_segments < 0 || values.query_offsets == nullptr) {
                      throw invalid_argument("op '{}': query_offsets are missing", kName);
                    }
                    auto segments = std::make_shared<AttentionSegments>();
                    segments->query_offsets.assign(values.query_offsets, values.query_offsets + values.n_segments + 1);
                    if (values.key_begins != nullptr && values.key_lengths != nullptr) {
                      segments->key_begins.assign(values.key_begins, values.key_begins + values.n_segments);
                      segments->key_lengths.assign(values.key_lengths, values.key_lengths + values.n_segments);
                    }
                    return std::vector{attention(ctx, in[0], in[1], in[2], segments, values.scale, values.causal != 0)};
                  }};
}

}  // namespace ftrun::ops
