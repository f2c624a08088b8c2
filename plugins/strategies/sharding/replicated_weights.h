// Weights of a unit that every rank holds whole and keeps bound.
// Leaves out: weights in slices (sliced_weights.h).
#pragma once

#include "sharding/unit_weights.h"

namespace ftrun::sharding {

/// With `updates_slice` a rank updates its slice only, and the others' slices arrive by all_gather, in place, while the
/// next forward is already under way.
class ReplicatedWeights : public UnitWeights {
 public:
  ReplicatedWeights(const sdk::ShardCalls& calls, const UnitPlace& place, const RankGrid& grid, bool updates_slice);

  void fetch(const sdk::ShardCalls& calls) override;
  void complete(const sdk::ShardCalls& calls) override;
  void release(const sdk::ShardCalls& calls) override;
  sdk::Tensor updated(const sdk::ShardCalls& calls) override;
  void publish(const sdk::ShardCalls& calls) override;
  Region owned(ftrun_part part) const override;
  sdk::Tensor held(const sdk::ShardCalls& calls, ftrun_part part, Region region) override;
  void overwritten(const sdk::ShardCalls& calls) override;

 private:
  UnitPlace place_;
  RankGrid grid_;
  bool updates_slice_;
  bool stale_ = false;  ///< other ranks' slices have values that have not been asked for
  sdk::Tensor whole_[2];
  sdk::Work arriving_;
};

}  // namespace ftrun::sharding
