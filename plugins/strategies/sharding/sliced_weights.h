// Weights of a unit of which a rank keeps one slice; the whole is gathered for as long as it is used.
// Leaves out: when that is (weight_walk.h).
#pragma once

#include "sharding/unit_weights.h"

namespace ftrun::sharding {

/// The slice lives at `placement`; with the host's it is streamed to the device by the gather itself.
class SlicedWeights : public UnitWeights {
 public:
  SlicedWeights(const sdk::ShardCalls& calls, const UnitPlace& place, const RankGrid& grid, ftrun_placement placement);

  void fetch(const sdk::ShardCalls& calls) override;
  void complete(const sdk::ShardCalls& calls) override;
  void release(const sdk::ShardCalls& calls) override;
  sdk::Tensor updated(const sdk::ShardCalls& calls) override;
  void publish(const sdk::ShardCalls& calls) override;
  Region owned(ftrun_part part) const override;
  sdk::Tensor held(const sdk::ShardCalls& calls, ftrun_part part, Region region) override;
  void overwritten(const sdk::ShardCalls& calls) override;

 private:
  struct Part {
    sdk::Tensor slice;
    sdk::Tensor whole;  ///< empty unless fetched
    sdk::Work arriving;
    bool is_bound = false;
  };

  UnitPlace place_;
  RankGrid grid_;
  Part parts_[2];
};

}  // namespace ftrun::sharding
