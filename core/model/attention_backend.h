// How attention is served: over the batch's own keys, or over something else (a KV cache).
#pragma once

#include <cstdint>

#include "core/tensor/tensor.h"

namespace ftrun {

/// Swapped in on a Rank (AttentionScope) by generation. [rank-thread]
class AttentionBackend {
 public:
  virtual ~AttentionBackend() = default;
  /// q[T, H, C], k and v[T, K, C], already rotated, of the current batch's tokens -> out[T, H, C] of `layer`.
  virtual Tensor attend(ExecutionContext& ctx, int32_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                        double scale) = 0;
};

}  // namespace ftrun
