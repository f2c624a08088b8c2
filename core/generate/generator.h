// Batched decoding with a KV cache: prompts in, new tokens out.
// Leaves out: text (answer_text.h), the C ABI (core/train/generate_service.h) and the loop (decoding.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/generate/sampler.h"
#include "core/model/rank.h"

namespace ftrun {

/// What was generated for one prompt.
struct GeneratedSequence {
  std::vector<int32_t> ids;     ///< new tokens, the stop id included
  std::vector<float> logprobs;  ///< of each, log softmax(logits)[id] before any processing; empty unless asked for
  bool stopped = false;         ///< ended by a stop id or by on_token, not by a limit
};

struct GenerationRequest {
  int32_t role = 0;
  std::vector<std::span<const int32_t>> prompts;  ///< each with at least one id; decoded in this order
  std::vector<uint64_t> prompt_keys;              ///< one per prompt: keys its draws
  int64_t max_new_tokens = 0;                     ///< per prompt no more than the model has positions left
  SamplingArguments sampling;
  uint64_t seed = 0;
  uint64_t update = 0;
  std::vector<int32_t> stop_ids;
  bool with_logprobs = true;
  int32_t max_sequences = 64;  ///< decoded at a time; when one ends, the next prompt takes its place
  int64_t walk_tokens = 1024;  ///< prompt tokens and new tokens of one forward; longer prompts take several
  /// Told each token as it is chosen (never a stop id); false ends the sequence with it.
  std::function<bool(size_t prompt, int32_t id)> on_token;
  /// Told each sequence when it has ended, in the order in which they end.
  std::function<void(size_t prompt, const GeneratedSequence& sequence)> on_end;
  /// Asked before each forward; true ends all sequences where they are.
  std::function<bool()> cancelled;
};

/// New tokens that a prompt may have: max_new_tokens, or the positions it leaves of the model's (0: no limit).
int64_t new_token_limit(int64_t prompt_tokens, int64_t max_new_tokens, int64_t model_positions) noexcept;

/// One sequence per prompt. A sequence's tokens do not depend on the other prompts or on how many are decoded at a
/// time. Throws INVALID_ARGUMENT for an empty prompt, RESOURCE_EXHAUSTED when one does not fit into memory. A prompt
/// that leaves no position is answered with nothing. All ranks call it equally often, each with prompts of its own (or
/// none); where the model is gathered unit by unit they decode in step. [rank-thread]
std::vector<GeneratedSequence> generate(Rank& rank, const GenerationRequest& request);

/// The same for one conversation after another: what a call's last prompt and answer left in the cache is used by the
/// next call's first prompt as far as both begin alike. [rank-thread]
class ConversationGenerator {
 public:
  explicit ConversationGenerator(Rank& rank);
  ConversationGenerator(const ConversationGenerator&) = delete;
  ConversationGenerator& operator=(const ConversationGenerator&) = delete;
  ~ConversationGenerator();

  /// `request` with one prompt.
  GeneratedSequence generate(const GenerationRequest& request);
  /// Tokens of the last prompt that were in the cache already.
  int64_t reused_tokens() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ftrun
