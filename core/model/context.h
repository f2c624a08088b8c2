// The opaque ftrun_context of the C ABI: what one rank's calls find their state through.
// Leaves out: the state itself (rank.h), and what data, generation and metric calls need (core/train's RankServices).
#pragma once

#include "core/tensor/execution_context.h"
#include "ftrun/tensor.h"

namespace ftrun {
class Rank;
class RankServices;
}  // namespace ftrun

/// One per rank, owned by its Rank. [rank-thread]
struct ftrun_context : ftrun::ExecutionContext {
  ftrun::Rank* rank = nullptr;
  /// Set by whoever composes the run; NULL in unit tests of the model.
  ftrun::RankServices* services = nullptr;
};
