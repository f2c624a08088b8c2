// Low-rank pairs on a model's blocks, as a run with adapters has them, for tests that drive ranks.
// Leaves out: which modules a run adapts (core/train/adapters.h).
#pragma once

#include "core/model/network_model.h"

namespace ftrun::test {

struct LowRankPairs {
  int64_t rank = 2;
  double dropout = 0;
  bool magnitudes = true;  ///< DoRA on down_proj
};

/// Adds a pair with scale 2 to every linear weight of the blocks. Neither factor starts at zero, so that both have
/// gradients at once.
void add_low_rank_pairs(NetworkModel& model, const LowRankPairs& pairs);

}  // namespace ftrun::test
