// Units and parameters of the decoder family. T tokens, D hidden_size, H heads, K key-value heads, C head_dim.
#include "decoder/decoder.h"

#include <cmath>

namespace ftrun::decoder {

using sdk::LinearIds;
using sdk::NetworkBuilder;
using sdk::NetworkCalls;
using sdk::ParameterSpec;
using sdk::Tensor;

LinearIds Decoder::declare_linear(const NetworkBuilder& builder, int32_t unit, const std::string& name, int64_t out,
                                  int64_t in, bool bias) const {
  LinearIds ids;
  ids.weight = builder.parameter(
      {name + ".weight", FTRUN_PARAMETER_LINEAR, unit, {out, in}, FTRUN_INITIALIZER_NORMAL, config_.initializer_range});
  if (bias) {
    ids.bias = builder.parameter({name + ".bias", FTRUN_PARAMETER_BIAS, unit, {out, 0}, FTRUN_INITIALIZER_ZEROS, 0.0});
  }
  return ids;
}

int32_t Decoder::declare_norm(const NetworkBuilder& builder, int32_t unit, const std::string& name,
                              int64_t size) const {
  return builder.parameter({name + ".weight", FTRUN_PARAMETER_NORM, unit, {size, 0}, FTRUN_INITIALIZER_ONES, 0.0});
}

Decoder::Layer Decoder::declare_layer(const NetworkBuilder& builder, int32_t unit, const std::string& prefix) const {
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  const int64_t query = int64_t{config_.n_heads} * config_.head_dim;
  const int64_t key_value = int64_t{config_.n_kv_heads} * config_.head_dim;
  const std::string attention = prefix + ".self_attn.";
  const std::string mlp = prefix + ".mlp.";
  Layer layer{};
  layer.q_norm = layer.k_norm = -1;
  layer.input_norm = declare_norm(builder, unit, prefix + ".input_layernorm", hidden);
  layer.q = declare_linear(builder, unit, attention + "q_proj", query, hidden, config_.qkv_bias);
  layer.k = declare_linear(builder, unit, attention + "k_proj", key_value, hidden, config_.qkv_bias);
  layer.v = declare_linear(builder, unit, attention + "v_proj", key_value, hidden, config_.qkv_bias);
  layer.o = declare_linear(builder, unit, attention + "o_proj", hidden, query, config_.output_bias);
  if (config_.qk_norm) {
    layer.q_norm = declare_norm(builder, unit, attention + "q_norm", config_.head_dim);
    layer.k_norm = declare_norm(builder, unit, attention + "k_norm", config_.head_dim);
  }
  layer.post_attention_norm = declare_norm(builder, unit, prefix + ".post_attention_layernorm", hidden);
  layer.gate = declare_linear(builder, unit, mlp + "gate_proj", inner, hidden, config_.mlp_bias);
  layer.up = declare_linear(builder, unit, mlp + "up_proj", inner, hidden, config_.mlp_bias);
  layer.down = declare_linear(builder, unit, mlp + "down_proj", hidden, inner, config_.mlp_bias);
  return layer;
}

void Decoder::declare(const NetworkBuilder& builder) {
  layers_.clear();
  const int32_t embedding_unit = builder.unit("model.embed_tokens", FTRUN_UNIT_EMBEDDING);
  embedding_ = builder.parameter({"model.embed_tokens.weight",
                                  FTRUN_PARAMETER_EMBEDDING,
                                  embedding_unit,
                                  {config_.vocab_size, config_.hidden_size},
                                  FTRUN_INITIALIZER_NORMAL,
                                  config_.initializer_range});
  for (int32_t index = 0; index < config_.n_layers; ++index) {
    const std::string name = "model.layers." + std::to_string(index);
    const int32_t unit = builder.unit(name, FTRUN_UNIT_BLOCK);
    layers_.push_back(declare_layer(builder, unit, name));
  }
  final_norm_ =
      declare_norm(builder, builder.unit("model.norm", FTRUN_UNIT_FINAL_NORM), "model.norm", config_.hidden_size);
  const int32_t head_unit = builder.unit("lm_head", FTRUN_UNIT_HEAD);
  if (config_.tied) {
    head_ = embedding_;
    builder.tie(embedding_, head_unit, "lm_head.weight");
  } else {
    head_ = builder.parameter({"lm_head.weight",
                               FTRUN_PARAMETER_HEAD,
                               head_unit,
                               {config_.vocab_size, config_.hidden_size},
                               FTRUN_INITIALIZER_NORMAL,
                               config_.initializer_range});
  }
}

ftrun_network_info Decoder::info() const {
  auto info = sdk::make<ftrun_network_info>(FTRUN_NETWORK_INFO_TAG);
  info.hidden_size = config_.hidden_size;
  info.vocab_size = config_.vocab_size;
  info.max_position_embeddings = config_.max_position_embeddings;
  info.n_layers = config_.n_layers;
  info.n_heads = config_.n_heads;
  info.n_kv_heads = config_.n_kv_heads;
  info.head_dim = config_.head_dim;
  info.head_parameter = head_;
  info.rope_inv_freq = config_.rope.inv_freq.data();
  info.rope_scaling = config_.rope.scaling;
  return info;
}

Tensor Decoder::attention(const NetworkCalls& calls, int32_t index, const Tensor& x) const {
  const Layer& layer = layers_[static_cast<size_t>(index)];
  const int64_t tokens = x.dim(0);
  const int64_t head_dim = config_.head_dim;
  const auto projected = calls.linear(x, std::array{layer.q, layer.k, layer.v});
  Tensor q_THC = calls.reshape(projected[0], {tokens, config_.n_heads, head_dim});
  Tensor k_TKC = calls.reshape(projected[1], {tokens, config_.n_kv_heads, head_dim});
  const Tensor v_TKC = calls.reshape(projected[2], {tokens, config_.n_kv_heads, head_dim});
  if (config_.qk_norm) {
    q_THC = calls.norm(q_THC, layer.q_norm, config_.rms_norm_eps);
    k_TKC = calls.norm(k_TKC, layer.k_norm, config_.rms_norm_eps);
  }
  q_THC = calls.rope(q_THC);
  k_TKC = calls.rope(k_TKC);
  const double scale = 1.0 / std::sqrt(static_cast<double>(head_dim));
  const Tensor mixed_THC = calls.attention(index, q_THC, k_TKC, v_TKC, scale);
  return calls.linear(calls.reshape(mixed_THC, {tokens, config_.n_heads * head_dim}), layer.o);
}

Tensor Decoder::feed_forward(const NetworkCalls& calls, const Layer& layer, const Tensor& x) const {
  const auto projected = calls.linear(x, std::array{layer.gate, layer.up});
  return calls.linear(calls.swiglu(projected[0], projected[1]), layer.down);
}

Tensor Decoder::unit_forward(const NetworkCalls& calls, int32_t unit, const Tensor& in) const {
  if (unit == 0) return calls.embed(embedding_);
  if (unit == config_.n_layers + 1) return calls.norm(in, final_norm_, config_.rms_norm_eps);
  if (unit < 0 || unit > config_.n_layers) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "unit " + std::to_string(unit) + " has no forward of its own");
  }
  const Layer& layer = layers_[static_cast<size_t>(unit - 1)];
  const Tensor attended = attention(calls, unit - 1, calls.norm(in, layer.input_norm, config_.rms_norm_eps));
  const auto [x_TD, normed_TD] = calls.add_norm(in, attended, layer.post_attention_norm, config_.rms_norm_eps);
  return calls.add(x_TD, feed_forward(calls, layer, normed_TD));
}

}  // namespace ftrun::decoder
