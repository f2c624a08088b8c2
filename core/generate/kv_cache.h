// Keys and values of sequences being decoded, in blocks that sequences take and give back, served to attention.
// Leaves out: how many blocks there are (cache_size.h), choosing tokens (sampler.h) and the decoding loop (decoding.h).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/generate/block_pool.h"
#include "core/model/attention_backend.h"
#include "core/ops/paged_attention.h"
#include "core/tensor/tensor.h"

namespace ftrun {

/// Tokens of one block.
inline constexpr int32_t kCacheBlockRows = 32;

inline constexpr int64_t cache_blocks_for(int64_t tokens) { return (tokens + kCacheBlockRows - 1) / kCacheBlockRows; }

/// A sequence holds as many blocks as its tokens fill. Layers get their tensors [blocks * kCacheBlockRows, K, C] when
/// they are first used. [rank-thread]
class KvCache : public AttentionBackend {
 public:
  explicit KvCache(int32_t blocks) : pool_(blocks) {}

  /// A new sequence without tokens.
  int32_t open();
  /// Gives the sequence's blocks back; its number may stand for another one later.
  void close(int32_t sequence);
  /// Forgets the tokens from `length` on.
  void truncate(int32_t sequence, int64_t length);
  int64_t length(int32_t sequence) const { return sequences_.at(sequence).length; }

  /// The next forward carries counts[i] new tokens of sequence sequences[i], in this order. Call before each forward;
  /// the tokens count as cached afterwards. Throws INTERNAL and changes nothing when there are too few blocks.
  void begin_forward(std::span<const int32_t> sequences, std::span<const int64_t> counts);

  Tensor attend(ExecutionContext& ctx, int32_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                double scale) override;

  int32_t blocks() const noexcept { return pool_.count(); }
  int32_t free_blocks() const noexcept { return pool_.free(); }

 private:
  struct Sequence {
    int64_t length = 0;
    std::vector<int32_t> blocks;
  };
  struct Layer {
    Tensor keys;
    Tensor values;
  };

  BlockPool pool_;
  std::map<int32_t, Sequence> sequences_;
  std::vector<Layer> layers_;
  ops::PagedSegments segments_;
};

}  // namespace ftrun
