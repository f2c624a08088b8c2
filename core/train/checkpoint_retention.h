// Which checkpoints of a run's folder stay: those of its save_strategy within save_total_limit, the best one, and one
// of an interruption for as long as there is nothing later to continue from. Leaves out: writing them
// (checkpointing.h), removing one atomically (core/io/checkpoint.h).
#pragma once

#include <cstdint>
#include <filesystem>

namespace ftrun {

struct Retention {
  int64_t newest_step = 0;  ///< of the checkpoint just written, which stays; -1: the result is written, none is needed
  std::filesystem::path best;    ///< folder of the best model so far, by its name; empty: none is kept for that
  int64_t save_total_limit = 0;  ///< 0: no limit
};

/// Removes checkpoints of earlier interruptions and those kept for having been the best that are it no more, then the
/// oldest beyond the limit. What it leaves depends on what stands there only, so that a removal which was interrupted
/// is made up for by the next. Call on one rank.
void remove_superseded_checkpoints(const std::filesystem::path& output_dir, const Retention& retention);

}  // namespace ftrun
