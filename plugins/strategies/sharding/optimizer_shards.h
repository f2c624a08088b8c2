// The optimizer state of the trained units that this rank updates.
// Leaves out: the update rule, which is the host's.
#pragma once

#include <vector>

#include "sharding/rank_grid.h"

namespace ftrun::sharding {

/// One slice of optimizer state per trained unit. [rank-thread]
class OptimizerShards {
 public:
  explicit OptimizerShards(ftrun_placement placement) : placement_(placement) {}

  /// State for elements `region` of a unit's trained part. Units are counted as they come.
  void add(const sdk::ShardCalls& calls, int32_t role, int32_t unit, Region region) {
    slices_.push_back(calls.optimizer_create(role, unit, region.begin, region.end, placement_));
  }
  /// Updates unit `index` (see ftrun_span; both tensors cover the region it was added with).
  void update(const sdk::ShardCalls& calls, size_t index, const sdk::Tensor& gradient, const sdk::Tensor& weights,
              double grad_scale, double learning_rate) const {
    auto span = sdk::make<ftrun_span>(FTRUN_SPAN_TAG);
    span.slice = slices_.at(index);
    span.gradient = gradient.get();
    span.compute = weights.get();
    calls.optimizer_update({span}, grad_scale, learning_rate);
  }

 private:
  ftrun_placement placement_;
  std::vector<ftrun_optimizer_slice*> slices_;
};

}  // namespace ftrun::sharding
