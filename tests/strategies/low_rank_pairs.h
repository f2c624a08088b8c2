// Low-rank pairs on a model's blocks, as a run with adapters has them, for tests that drive ranks.
// Leaves out: which modules a run adapts (core/train/adapters.h).
#pragma once

#include "core/model/network_model.h"

namespace ftrun::test {

/// Adds a pair of `rank` with scale 2 (DoRA on down_proj) to every linear weight of the blocks. Neither factor starts
/// at zero, so that both have gradients at once.
void add_low_rank_pairs(NetworkModel& model, int64_t rank, double dropout);

}  // namespace ftrun::test
