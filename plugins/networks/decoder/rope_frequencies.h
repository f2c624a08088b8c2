// Rotary frequencies of a config.json: rope types default, linear, llama3 and yarn.
// Leaves out: types whose frequencies depend on the sequence (dynamic, longrope) and partial rotation: refused.
// Source: transformers 5.23, modeling_rope_utils.py; YaRN: Peng et al. 2023 (arXiv 2309.00071).
#pragma once

#include <cstdint>
#include <vector>

#include "decoder/config_reader.h"

namespace ftrun::decoder {

struct RopeFrequencies {
  std::vector<float> inv_freq;  ///< [head_dim / 2]
  double scaling = 1.0;         ///< factor on cos and sin
};

/// Reads `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (transformers 4). Arithmetic is f32
/// where transformers' is. Throws sdk::Error INVALID_ARGUMENT naming file and key.
RopeFrequencies read_rope_frequencies(const ConfigReader& config, int64_t head_dim, int64_t max_position_embeddings);

}  // namespace ftrun::decoder
