// Choosing the next token from a row of logits: greedy, or temperature, top-k and top-p sampling.
// Leaves out: where logits come from (generator.h). Order of the steps: transformers' logits processors and warpers.
#pragma once

#include <cstdint>
#include <span>

namespace ftrun {

/// How one sequence is sampled. Greedy when do_sample is false (temperature, top_k, top_p are then ignored).
struct SamplingArguments {
  bool do_sample = false;
  double temperature = 1;
  int32_t top_k = 0;              ///< 0: off
  double top_p = 1;               ///< 1: off
  double repetition_penalty = 1;  ///< 1: off
};

/// Throws INVALID_ARGUMENT naming the key for a value outside its range.
void validate(const SamplingArguments& arguments);

struct SampledToken {
  int32_t id = 0;
  float logprob = 0;  ///< log softmax(logits)[id], before penalty, temperature and truncation
};

/// Chooses from logits_V (may be changed in place). `previous` are the ids so far (prompt and generated), for the
/// repetition penalty. `uniform` in [0, 1) decides a sampled draw. Equal logits: the lowest id wins. [any-thread]
SampledToken choose_token(std::span<float> logits_V, std::span<const int32_t> previous,
                          const SamplingArguments& arguments, double uniform);

}  // namespace ftrun
