// The decoding loop of one call: prompts wait in a queue, take a place in the batch and blocks of the cache, and leave
// both when their answer ends. Every forward carries what is pending of each: a piece of a prompt, or one new token.
// Leaves out: how large the cache is (cache_size.h), choosing a token (sampler.h).
#pragma once

#include <optional>
#include <vector>

#include "core/generate/generator.h"
#include "core/generate/kv_cache.h"

namespace ftrun {

/// A sequence that stays in the cache after its call.
struct CachedSequence {
  std::vector<int32_t> ids;  ///< as many as are cached
  int32_t sequence = 0;      ///< of the cache
};

/// [rank-thread]. `request` and `cache` outlive it.
class Decoding {
 public:
  /// `limits`: new tokens of each prompt, 0 for prompts that are answered with nothing.
  Decoding(Rank& rank, const GenerationRequest& request, std::vector<int64_t> limits, KvCache& cache);

  /// The first prompt continues `kept` as far as both begin alike, and the last sequence to end is left in it.
  void continue_from(std::optional<CachedSequence>& kept) { kept_ = &kept; }

  /// `in_step`: forwards are made as often on every rank, because each needs all of them.
  std::vector<GeneratedSequence> run(bool in_step);

  int64_t reused_tokens() const noexcept { return reused_tokens_; }

 private:
  /// A sequence with a place in the batch.
  struct Active {
    size_t prompt = 0;
    int32_t sequence = 0;       ///< of the cache
    int64_t reserved = 0;       ///< blocks that it may come to hold
    std::vector<int32_t> ids;   ///< prompt and answer; the cache may lag behind
    std::vector<int32_t> seen;  ///< ids, each once; kept with a repetition penalty only
    std::vector<bool> is_seen;
  };
  /// One forward.
  struct Walk {
    std::vector<int32_t> ids;
    std::vector<int32_t> positions;
    std::vector<int32_t> offsets = {0};
    std::vector<int32_t> sequences;
    std::vector<int64_t> counts;
    std::vector<size_t> choosing;     ///< indices into active_ whose next token this forward decides
    std::vector<int64_t> logit_rows;  ///< of each
  };

  void admit();
  void admit_next(int64_t reserved);
  int32_t cached_prefix(const std::vector<int32_t>& ids);
  void note_seen(Active& active, std::span<const int32_t> ids) const;
  bool goes_on(bool in_step);
  Walk next_walk() const;
  void add_rows(Walk& walk, size_t index, int64_t count) const;
  void forward(const Walk& walk, bool in_step);
  void choose(const Walk& walk, const Tensor& logits_NV);
  std::vector<SampledToken> sample(const Walk& walk, int64_t vocabulary);
  bool accept(Active& active, const SampledToken& token, double log_normaliser);
  void end(Active& active);
  void end_all();

  Rank& rank_;
  const GenerationRequest& request_;
  std::vector<int64_t> limits_;
  KvCache& cache_;
  std::optional<CachedSequence>* kept_ = nullptr;
  int64_t reused_tokens_ = 0;
  size_t next_prompt_ = 0;
  int64_t reserved_blocks_ = 0;
  std::vector<Active> active_;
  std::vector<GeneratedSequence> sequences_;
  std::vector<float> logits_;
};

}  // namespace ftrun
