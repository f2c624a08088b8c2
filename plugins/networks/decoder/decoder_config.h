// What a decoder-only transformer of this family is: sizes and switches, read from config.json in both dialects.
// Leaves out: defaults of one architecture (its plugin passes them).
#pragma once

#include <cstdint>
#include <string>

#include "decoder/config_reader.h"
#include "decoder/rope_frequencies.h"

namespace ftrun::decoder {

/// Pre-norm decoder with grouped-query attention and a gated SiLU feed-forward.
struct DecoderConfig {
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t vocab_size = 0;
  int64_t max_position_embeddings = 0;
  int32_t n_layers = 0;
  int32_t n_heads = 0;
  int32_t n_kv_heads = 0;
  int32_t head_dim = 0;
  double rms_norm_eps = 1e-6;
  double initializer_range = 0.02;
  bool tied = false;
  bool qkv_bias = false;     ///< q_proj, k_proj, v_proj
  bool output_bias = false;  ///< o_proj
  bool mlp_bias = false;     ///< gate_proj, up_proj, down_proj
  bool qk_norm = false;      ///< q_norm, k_norm over head_dim, before rope
  RopeFrequencies rope;
};

/// transformers' defaults of one architecture for keys that may be absent.
struct ConfigDefaults {
  int64_t n_kv_heads = 0;  ///< 0: num_attention_heads
  int64_t head_dim = 0;    ///< 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 2048;
};

/// Reads what all architectures of the family share; the switches stay as they are. Throws sdk::Error INVALID_ARGUMENT
/// naming file, key and expectation, also for what the family cannot honour: an activation other than silu, sliding
/// windows in use, partial rotation, quantised weights.
DecoderConfig read_decoder_config(const ConfigReader& config, const ConfigDefaults& defaults);

}  // namespace ftrun::decoder
