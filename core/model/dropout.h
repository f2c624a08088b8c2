// Dropout keyed by content and position, never by rank, thread or place in the batch.
#pragma once

#include "core/model/batch_state.h"

namespace ftrun {

/// Keys of one call: the run's seed, the update, the unit and the call's number within the unit.
struct DropoutKey {
  uint64_t seed = 0;
  uint64_t update = 0;
  int32_t unit = 0;
  int32_t site = 0;
};

/// y[T, ..] = x / (1 - p) where kept, 0 elsewhere. Row t of segment s uses number (t - start) * row size + i of the
/// stream keyed by (key, hash of the segment's ids). Differentiable.
Tensor dropout(ExecutionContext& ctx, const Tensor& x, double probability, const BatchState& batch,
               const DropoutKey& key);

}  // namespace ftrun
