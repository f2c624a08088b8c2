// A strategy composed of pieces: how weights are kept, when gradients are reduced, who updates what.
// Leaves out: the pieces (files of their own) and their options (strategy_options.h).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sharding/gradients.h"
#include "sharding/optimizer_shards.h"
#include "sharding/strategy_options.h"
#include "sharding/weight_walk.h"

namespace ftrun::sharding {

/// What distinguishes one strategy from another.
struct Pieces {
  WeightPolicy weights;
  std::unique_ptr<Gradients> gradients;
  ftrun_placement optimizer = FTRUN_PLACEMENT_DEVICE;
  ftrun_dtype reduce_dtype = 0;  ///< 0: that of a micro-batch's gradient
  int64_t shard_group_size = 0;  ///< ranks that share one copy of the state; 0: all
};

/// Serves ftrun_strategy from its pieces. The plugin's option table has `expects`. [rank-thread]
class Composition {
 public:
  Composition(const OptionReader& reader, Pieces pieces);

  void attach(const sdk::ShardCalls& calls, const ftrun_role_layout& layout);
  void unit_enter(const sdk::ShardCalls& calls, const ftrun_unit_event& event);
  void unit_exit(const sdk::ShardCalls& calls, const ftrun_unit_event& event);
  void grads_ready(const sdk::ShardCalls& calls, const ftrun_unit_event& event);
  double finish_grads(const sdk::ShardCalls& calls);
  void step(const sdk::ShardCalls& calls, double grad_scale, double learning_rate);
  std::pair<int64_t, int64_t> owned_range(const sdk::ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part);
  void read_range(const sdk::ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, int64_t begin, int64_t end,
                  const sdk::Tensor& destination);
  void write_range(const sdk::ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, int64_t begin,
                   int64_t end, const sdk::Tensor& source);

 private:
  void start(const sdk::ShardCalls& calls, const ftrun_role_layout& layout);
  void attach_trained(const sdk::ShardCalls& calls, const ftrun_role_layout& layout, int32_t unit);
  WeightWalk& walk(int32_t role);
  UnitWeights& weights_of(int32_t role, int32_t unit) { return walk(role).unit(unit); }
  /// Elements of a unit's trained part that this rank updates.
  Region updated(int64_t elements) const;
  sdk::Tensor held(const sdk::ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, Region region);

  OptionReader reader_;
  Pieces pieces_;
  bool is_started_ = false;
  RankGrid grid_;
  std::vector<std::unique_ptr<WeightWalk>> walks_;  ///< by role
  OptimizerShards optimizer_;
};

/// A strategy made of what `make` says, as sdk::StrategyThunks wants it.
template <Pieces (*make)(const OptionReader&)>
class ComposedStrategy : public Composition {
 public:
  ComposedStrategy(const ftrun_host* host, const ftrun_options* options)
      : ComposedStrategy(OptionReader(host, options)) {}

 private:
  explicit ComposedStrategy(const OptionReader& reader) : Composition(reader, make(reader)) {}
};

}  // namespace ftrun::sharding
