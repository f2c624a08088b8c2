// The gradients of all trained units on this rank, from backward to the optimizer.
// Leaves out: when they are reduced (update_gradients.h: once; micro_batch_gradients.h: every micro-batch).
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "sharding/rank_grid.h"

namespace ftrun::sharding {

/// dtypes of a gradient on its way.
struct GradientDtypes {
  ftrun_dtype stored;  ///< of one micro-batch
  ftrun_dtype wire;    ///< of reductions
  ftrun_dtype kept;    ///< of what sums the micro-batches; `stored` where there is one
};

/// A unit with a trained part. Units come in role and unit order; `index` counts them.
struct TrainedUnit {
  int32_t role = 0;
  int32_t unit = 0;
  int64_t elements = 0;  ///< padded
  GradientDtypes dtypes;
};

/// [rank-thread]
class Gradients {
 public:
  Gradients() = default;
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;
  virtual ~Gradients() = default;

  void add(const TrainedUnit& unit) {
    index_[{unit.role, unit.unit}] = units_.size();
    units_.push_back(unit);
    added();
  }
  void use(const RankGrid& grid) { grid_ = grid; }
  const std::vector<TrainedUnit>& units() const noexcept { return units_; }

  /// A BACKWARD bracket of a unit opens: a buffer must be bound if it has a trained part.
  void enter_backward(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
    const auto found = index_.find({event.role, event.unit});
    if (found != index_.end()) prepare(calls, found->second);
  }
  /// The bound buffer is complete for this micro-batch. Collective.
  void ready(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
    reduce(calls, index_.at({event.role, event.unit}), event.is_last != 0);
  }
  /// Completes every reduction of the update. Collective.
  virtual void finish(const sdk::ShardCalls& calls) = 0;
  /// The reduced gradient of elements `region` of a unit; empty when there was none. Those this rank keeps only.
  virtual sdk::Tensor reduced(const sdk::ShardCalls& calls, size_t index, Region region) = 0;
  /// Gives every buffer up; the next micro-batch starts from zero. Also after an update that was not finished.
  virtual void release(const sdk::ShardCalls& calls) = 0;

 protected:
  virtual void added() = 0;
  virtual void prepare(const sdk::ShardCalls& calls, size_t index) = 0;
  virtual void reduce(const sdk::ShardCalls& calls, size_t index, bool is_last) = 0;
  const RankGrid& grid() const noexcept { return grid_; }

 private:
  RankGrid grid_;
  std::vector<TrainedUnit> units_;
  std::map<std::pair<int32_t, int32_t>, size_t> index_;
};

}  // namespace ftrun::sharding
