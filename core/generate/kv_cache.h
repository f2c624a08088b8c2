// Keys and values of sequences being decoded, one region per sequence and layer, served to attention.
// Leaves out: choosing tokens (sampler.h) and the decoding loop (generator.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/model/attention_backend.h"
#include "core/ops/attention.h"
#include "core/tensor/tensor.h"

namespace ftrun {

/// Room for sequence i: capacities[i] positions. Layers get their tensors when they are first used. [rank-thread]
class KvCache : public AttentionBackend {
 public:
  explicit KvCache(std::span<const int64_t> capacities);

  /// The next forward carries counts[i] new tokens of sequence sequences[i], in this order. Call before each forward;
  /// the tokens count as cached afterwards. Throws OUT_OF_RANGE when a sequence's capacity is exceeded.
  void begin_forward(std::span<const int32_t> sequences, std::span<const int64_t> counts);

  Tensor attend(ExecutionContext& ctx, int32_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                double scale) override;

  int64_t length(int32_t sequence) const { return lengths_.at(sequence); }

 private:
  struct Layer {
    Tensor keys;    // [positions, K, C]
    Tensor values;  // [positions, K, C]
  };
  struct Append {
    int64_t source;       // first row of the forward's k and v
    int64_t destination;  // first row of the cache
    int64_t count;
  };

  void append(ExecutionContext& ctx, const Tensor& rows, const Tensor& cache) const;

  std::vector<int64_t> begins_;  // first position of each sequence; one more entry: all positions
  std::vector<int64_t> lengths_;
  std::vector<Layer> layers_;
  std::vector<Append> appends_;
  std::shared_ptr<const ops::AttentionSegments> segments_;
};

}  // namespace ftrun
