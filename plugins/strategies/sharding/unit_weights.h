// The weights of one unit of one role on this rank, whatever of them lives here.
// Leaves out: when they are needed (weight_walk.h).
#pragma once

#include "sharding/rank_grid.h"

namespace ftrun::sharding {

/// What a unit is told when it is made.
struct UnitPlace {
  int32_t role = 0;
  int32_t unit = 0;
  ftrun_dtype dtype = FTRUN_F32;  ///< of the bound buffers
  int64_t elements[2] = {0, 0};   ///< padded, by ftrun_part
};

/// Construction allocates and loads. fetch, complete and release may be called in any order and number. [rank-thread]
class UnitWeights {
 public:
  UnitWeights() = default;
  UnitWeights(const UnitWeights&) = delete;
  UnitWeights& operator=(const UnitWeights&) = delete;
  virtual ~UnitWeights() = default;

  /// Starts to bring in what is missing; returns at once. Collective where something is missing.
  virtual void fetch(const sdk::ShardCalls& calls) = 0;
  /// On return the whole unit is bound. Collective likewise.
  virtual void complete(const sdk::ShardCalls& calls) = 0;
  /// What was brought in may go.
  virtual void release(const sdk::ShardCalls& calls) = 0;
  /// The trained elements that this rank updates, in memory that stays.
  virtual sdk::Tensor updated(const sdk::ShardCalls& calls) = 0;
  /// Updated elements have new values: every rank's copies must get them. Collective.
  virtual void publish(const sdk::ShardCalls& calls) = 0;
  /// Elements of a part that lie in memory that stays and are this rank's to save.
  virtual Region owned(ftrun_part part) const = 0;
  /// Elements inside owned(part).
  virtual sdk::Tensor held(const sdk::ShardCalls& calls, ftrun_part part, Region region) = 0;
  /// Elements of `held` got other values, on every rank.
  virtual void overwritten(const sdk::ShardCalls& calls) = 0;
};

}  // namespace ftrun::sharding
