// Block tables per sequence; the paged attention op does the rest.
#include "core/generate/kv_cache.h"

#include "core/base/error.h"

namespace ftrun {

int32_t KvCache::open() {
  int32_t sequence = 0;
  while (sequences_.contains(sequence)) ++sequence;
  sequences_.try_emplace(sequence);
  return sequence;
}

void KvCache::close(int32_t sequence) {
  truncate(sequence, 0);
  sequences_.erase(sequence);
}

void KvCache::truncate(int32_t sequence, int64_t length) {
  Sequence& truncated = sequences_.at(sequence);
  if (length >= truncated.length) return;
  truncated.length = length;
  while (static_cast<int64_t>(truncated.blocks.size()) > cache_blocks_for(length)) {
    pool_.give_back(truncated.blocks.back());
    truncated.blocks.pop_back();
  }
}

void KvCache::begin_forward(std::span<const int32_t> sequences, std::span<const int64_t> counts) {
  int64_t needed = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& sequence = sequences_.at(sequences[i]);
    needed += cache_blocks_for(sequence.length + counts[i]) - static_cast<int64_t>(sequence.blocks.size());
  }
  if (needed > pool_.free()) throw internal_error("KV cache: {} blocks needed, {} free", needed, pool_.free());
  segments_ = {};
  segments_.block_rows = kCacheBlockRows;
  segments_.query_offsets.push_back(0);
  segments_.block_offsets.push_back(0);
  int64_t row = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    Sequence& sequence = sequences_.at(sequences[i]);
    sequence.length += counts[i];
    while (static_cast<int64_t>(sequence.blocks.size()) < cache_blocks_for(sequence.length)) {
      sequence.blocks.push_back(pool_.take());
    }
    row += counts[i];
    segments_.query_offsets.push_back(static_cast<int32_t>(row));
    segments_.key_lengths.push_back(static_cast<int32_t>(sequence.length));
    segments_.blocks.insert(segments_.blocks.end(), sequence.blocks.begin(), sequence.blocks.end());
    segments_.block_offsets.push_back(static_cast<int32_t>(segments_.blocks.size()));
  }
}

Tensor KvCache::attend(ExecutionContext& ctx, int32_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                       double scale) {
  if (layer >= static_cast<int32_t>(layers_.size())) layers_.resize(static_cast<size_t>(layer) + 1);
  Layer& cached = layers_[static_cast<size_t>(layer)];
  if (!cached.keys) {
    const Shape shape = {int64_t{pool_.count()} * kCacheBlockRows, k.dim(1), k.dim(2)};
    cached.keys = empty(ctx, k.dtype(), shape, FTRUN_MEMORY_KV_CACHE);
    cached.values = empty(ctx, v.dtype(), shape, FTRUN_MEMORY_KV_CACHE);
  }
  return ops::paged_attention(ctx, q, k, v, cached.keys, cached.values, segments_, scale);
}

}  // namespace ftrun
