// New rows are copied behind the cached ones; attention then reads each sequence's region.
#include "core/generate/kv_cache.h"

#include "core/base/error.h"
#include "core/ops/layout.h"

namespace ftrun {

KvCache::KvCache(std::span<const int64_t> capacities) : begins_(1, 0), lengths_(capacities.size(), 0) {
  for (const int64_t capacity : capacities) begins_.push_back(begins_.back() + capacity);
}

void KvCache::begin_forward(std::span<const int32_t> sequences, std::span<const int64_t> counts) {
  auto segments = std::make_shared<ops::AttentionSegments>();
  segments->query_offsets.push_back(0);
  appends_.clear();
  int64_t row = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const int32_t sequence = sequences[i];
    const int64_t begin = begins_.at(sequence);
    if (begin + lengths_[sequence] + counts[i] > begins_[sequence + 1]) {
      throw Error(FTRUN_OUT_OF_RANGE, fmt::format("KV cache: sequence {} has room for {} positions", sequence,
                                                  begins_[sequence + 1] - begin));
    }
    appends_.push_back({row, begin + lengths_[sequence], counts[i]});
    row += counts[i];
    lengths_[sequence] += counts[i];
    segments->query_offsets.push_back(static_cast<int32_t>(row));
    segments->key_begins.push_back(static_cast<int32_t>(begin));
    segments->key_lengths.push_back(static_cast<int32_t>(lengths_[sequence]));
  }
  segments_ = std::move(segments);
}

void KvCache::append(ExecutionContext& ctx, const Tensor& rows, const Tensor& cache) const {
  for (const Append& part : appends_) {
    ops::copy_into(ctx, rows.slice(0, part.source, part.source + part.count),
                   cache.slice(0, part.destination, part.destination + part.count));
  }
}

Tensor KvCache::attend(ExecutionContext& ctx, int32_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                       double scale) {
  if (layer >= static_cast<int32_t>(layers_.size())) layers_.resize(layer + 1);
  Layer& cached = layers_[layer];
  if (!cached.keys) {
    const Shape shape = {begins_.back(), k.dim(1), k.dim(2)};
    cached.keys = empty(ctx, k.dtype(), shape, FTRUN_MEMORY_KV_CACHE);
    cached.values = empty(ctx, v.dtype(), shape, FTRUN_MEMORY_KV_CACHE);
  }
  append(ctx, k, cached.keys);
  append(ctx, v, cached.values);
  return ops::attention(ctx, q, cached.keys, cached.values, segments_, scale);
}

}  // namespace ftrun
