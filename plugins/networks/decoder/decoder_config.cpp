// config.json of a decoder: required sizes, optional ones, refusals.
#include "decoder/decoder_config.h"

#include <algorithm>

namespace ftrun::decoder {
namespace {

void refuse_sliding_window(const ConfigReader& config, int32_t n_layers) {
  if (config.has("layer_types")) {
    const nlohmann::json& types = config.raw().at("layer_types");
    const auto is_full = [](const nlohmann::json& type) { return type == "full_attention"; };
    if (!types.is_array() || !std::all_of(types.begin(), types.end(), is_full)) {
      config.refuse("layer_types", "full_attention for every layer (sliding windows are not supported)");
    }
    return;
  }
  if (!config.boolean_or("use_sliding_window", false) || !config.has("sliding_window")) return;
  // Layers below max_window_layers attend in full; with it at or above the layer count no window is in use.
  if (!config.has("max_window_layers") || config.positive("max_window_layers") < n_layers) {
    config.refuse("use_sliding_window", "false (sliding windows are not supported)");
  }
}

void read_heads(const ConfigReader& config, const ConfigDefaults& defaults, DecoderConfig& out) {
  out.n_heads = static_cast<int32_t>(config.positive("num_attention_heads"));
  const bool given = config.raw().contains("num_key_value_heads");
  const int64_t absent = given || defaults.n_kv_heads == 0 ? out.n_heads : defaults.n_kv_heads;
  out.n_kv_heads = static_cast<int32_t>(config.positive_or("num_key_value_heads", absent));
  if (out.n_heads % out.n_kv_heads != 0) config.refuse("num_key_value_heads", "a divisor of num_attention_heads");
  if (config.has("head_dim")) {
    out.head_dim = static_cast<int32_t>(config.positive("head_dim"));
  } else if (defaults.head_dim != 0) {
    out.head_dim = static_cast<int32_t>(defaults.head_dim);
  } else if (out.hidden_size % out.n_heads != 0) {
    config.refuse("num_attention_heads", "a divisor of hidden_size where head_dim is not given");
  } else {
    out.head_dim = static_cast<int32_t>(out.hidden_size / out.n_heads);
  }
  if (out.head_dim % 2 != 0) config.refuse("head_dim", "an even number (rotary embedding turns pairs)");
}

}  // namespace

DecoderConfig read_decoder_config(const ConfigReader& config, const ConfigDefaults& defaults) {
  DecoderConfig out;
  out.hidden_size = config.positive("hidden_size");
  out.intermediate_size = config.positive("intermediate_size");
  out.vocab_size = config.positive("vocab_size");
  out.n_layers = static_cast<int32_t>(config.positive("num_hidden_layers"));
  out.max_position_embeddings = config.positive_or("max_position_embeddings", defaults.max_position_embeddings);
  read_heads(config, defaults, out);
  out.rms_norm_eps = config.positive_number_or("rms_norm_eps", 1e-6);
  out.initializer_range = config.positive_number_or("initializer_range", 0.02);
  out.tied = config.boolean_or("tie_word_embeddings", false);
  const std::string activation = config.text_or("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") config.refuse("hidden_act", "silu (or swish, the same)");
  if (config.has("quantization_config"))
    config.refuse("quantization_config", "nothing (weights must not be quantised)");
  refuse_sliding_window(config, out.n_layers);
  out.rope = read_rope_frequencies(config, out.head_dim, out.max_position_embeddings);
  return out;
}

}  // namespace ftrun::decoder
