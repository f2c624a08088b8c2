// Batched decoding with a KV cache: prompts in, new tokens out.
// Leaves out: text (the tokenizer's) and the C ABI (generate_service.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/generate/sampler.h"
#include "core/model/rank.h"

namespace ftrun {

struct GenerationRequest {
  int32_t role = 0;
  std::vector<std::span<const int32_t>> prompts;  ///< each with at least one id
  std::vector<uint64_t> prompt_keys;              ///< one per prompt: keys its draws
  int64_t max_new_tokens = 0;                     ///< per prompt no more than the model has positions left
  SamplingArguments sampling;
  uint64_t seed = 0;
  uint64_t update = 0;
  std::vector<int32_t> stop_ids;
};

struct GeneratedSequence {
  std::vector<int32_t> ids;     ///< new tokens, the stop id included
  std::vector<float> logprobs;  ///< of each, see SampledToken
  bool stopped = false;         ///< ended by a stop id
};

/// New tokens that a prompt may have: max_new_tokens, or the positions it leaves of the model's (0: no limit).
int64_t new_token_limit(int64_t prompt_tokens, int64_t max_new_tokens, int64_t model_positions) noexcept;

/// One sequence per prompt. A sequence's tokens do not depend on the other prompts. Throws INVALID_ARGUMENT for an
/// empty prompt. A prompt that leaves no position is answered with nothing. All ranks call it equally often, each with
/// prompts of its own (or none); where the model is gathered unit by unit they decode in step. [rank-thread]
std::vector<GeneratedSequence> generate(Rank& rank, const GenerationRequest& request);

}  // namespace ftrun
