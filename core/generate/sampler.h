// Choosing the next token from a row of logits: greedy, or by temperature, top-k and top-p sampling.
// Leaves out: where logits come from (decoding.h). Order and rules are those of transformers' logits processors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

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

/// A token that may be drawn, with its probability.
struct Candidate {
  int32_t id = 0;
  double probability = 0;
};

/// The distribution that is drawn from, probabilities summing to 1: softmax(logits / temperature) over the top_k
/// largest logits (and those equal to the last of them), then over the fewest of these whose mass reaches top_p.
/// Descending with top_p below 1, else in order of ids. [any-thread]
std::vector<Candidate> candidates(std::span<const float> logits_V, const SamplingArguments& arguments);

struct SampledToken {
  int32_t id = 0;
  float logit = 0;  ///< logits[id] before the repetition penalty
};

/// Chooses from logits_V, which the repetition penalty changes in place. `seen`: the ids of prompt and answer so far,
/// each once; read with a repetition penalty only. `uniform` in [0, 1) decides a draw. Equal logits: greedy takes the
/// lowest id. A row whose largest logit is not finite gives id -1. [any-thread]
SampledToken choose_token(std::span<float> logits_V, std::span<const int32_t> seen, const SamplingArguments& arguments,
                          double uniform);

}  // namespace ftrun
