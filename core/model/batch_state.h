// A micro-batch on the device: ids, positions, rope tables and segments, made once and shared by all layers.
#pragma once

#include <memory>
#include <vector>

#include "core/model/network_model.h"
#include "core/ops/attention.h"
#include "core/ops/rope.h"
#include "core/tensor/tensor.h"
#include "ftrun/context.h"

namespace ftrun {

/// What units read besides their input. Immutable.
struct BatchState {
  int64_t tokens = 0;
  Tensor ids;           ///< i32[T]; empty handle when T is 0
  ops::RopeTable rope;  ///< f32[T, C / 2] each
  std::shared_ptr<const ops::AttentionSegments> segments;
  std::vector<uint64_t> segment_keys;  ///< per segment a hash of its ids: keys dropout by content
};

/// Copies the batch to the device. Throws INVALID_ARGUMENT for offsets that do not run from 0 to T, ids outside the
/// vocabulary, negative positions.
std::shared_ptr<const BatchState> make_batch_state(ExecutionContext& ctx, const NetworkModel& model,
                                                   const ftrun_batch& batch);

}  // namespace ftrun
