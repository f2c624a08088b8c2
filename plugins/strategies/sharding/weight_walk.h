// When the units of a role are needed: brackets by count, what is fetched ahead, what is kept until backward.
// Leaves out: how a unit comes and goes (unit_weights.h).
#pragma once

#include <memory>
#include <vector>

#include "sharding/unit_weights.h"

namespace ftrun::sharding {

/// How a strategy keeps weights.
struct WeightPolicy {
  bool sliced = false;         ///< units are kept in slices and gathered; otherwise whole on every rank
  bool updates_slice = false;  ///< a rank updates its slice; otherwise everything
  /// Gathered units go after forward and are gathered again for backward; otherwise they stay until then.
  bool reshard_after_forward = true;
  bool prefetch = true;  ///< the next unit of the walk is gathered while one is computed
  /// Sliced: a unit without any tensor of this many elements is kept whole.
  int64_t persistence_threshold = 0;
  ftrun_placement placement = FTRUN_PLACEMENT_DEVICE;  ///< of slices
};

/// The weights of one role. [rank-thread]
class WeightWalk {
 public:
  /// Allocates and loads. `layout` is borrowed for the call.
  WeightWalk(const sdk::ShardCalls& calls, const ftrun_role_layout& layout, const RankGrid& grid,
             const WeightPolicy& policy);

  void enter(const sdk::ShardCalls& calls, const ftrun_unit_event& event);
  void exit(const sdk::ShardCalls& calls, const ftrun_unit_event& event);
  /// What waited for a backward or a bracket that did not come is given up. At the end of an update.
  void end_update(const sdk::ShardCalls& calls);
  UnitWeights& unit(int32_t index) { return *states_.at(static_cast<size_t>(index)).weights; }

 private:
  struct UnitState {
    std::unique_ptr<UnitWeights> weights;
    std::vector<int32_t> borrowed;  ///< units that are entered with this one
    int32_t open = 0;               ///< brackets
    int32_t backward_brackets = 0;  ///< in a micro-batch: its own, and those of units that borrow from it
    int32_t backward_left = 0;      ///< of the micro-batch it is kept for; 0: not kept
    bool fetched_ahead = false;     ///< and not entered since
    bool is_skipped = false;        ///< was fetched ahead in vain: a walk need not reach the head
  };

  void count_backward_brackets(const ftrun_role_layout& layout);
  void fetch_next(const sdk::ShardCalls& calls, const ftrun_unit_event& event);

  WeightPolicy policy_;
  int32_t lowest_trained_;
  int32_t open_brackets_ = 0;
  std::vector<UnitState> states_;
};

}  // namespace ftrun::sharding
