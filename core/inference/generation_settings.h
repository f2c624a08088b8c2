// How answers are drawn: the configuration's keys, the model's generation_config.json, the defaults.
// Leaves out: who uses them (predict_command.cpp, chat_command.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config/resolve.h"
#include "core/generate/sampler.h"
#include "core/io/generation_config.h"

namespace ftrun {

struct GenerationSettings {
  SamplingArguments sampling;
  int64_t max_new_tokens = 0;
  uint64_t seed = 0;
  std::vector<std::string> stop_strings;
};

/// Of each of do_sample, temperature, top_p, top_k, repetition_penalty, max_new_tokens and stop (stop_strings there):
/// what the configuration or a flag gives, else generation_config.json (`file`), else the key's default
/// (LLaMA-Factory's: sampling at temperature 0.95, top_p 0.7, top_k 50). generation_config.json's max_length is not
/// used. Warns about keys that greedy decoding does not use. Throws INVALID_ARGUMENT naming where a value stands that
/// cannot be used.
GenerationSettings read_generation_settings(const ResolvedConfig& config, const GenerationConfig& of_model,
                                            const std::filesystem::path& file);

}  // namespace ftrun
