// What a training run may write to and continue from: checked, locked, and known to all ranks, before anything is
// written. Leaves out: what is written (checkpointing.h).
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "core/collectives/communicator.h"
#include "core/io/checkpoint.h"
#include "core/io/folder_lock.h"
#include "core/train/run_setup.h"

namespace ftrun {

/// Movable.
struct OutputClaim {
  /// The checkpoint to continue from; the same on all ranks.
  std::optional<std::filesystem::path> resume_from;
  /// Of the main rank: damaged checkpoints in output_dir that are newer than resume_from, to be set aside before they
  /// are written anew.
  std::vector<Checkpoint> damaged;
  /// Of the main rank, held when output_dir exists already.
  std::optional<FolderLock> lock;
};

/// The main rank checks output_dir, locks it and finds the checkpoint; all learn what it found. Throws with file, line
/// and key. [rank-thread], by all ranks.
OutputClaim claim_output(const RunSetup& setup, Communicator& communicator);

/// Locks output_dir for this process. Throws ALREADY_EXISTS while another run that is still alive has it.
FolderLock lock_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config);

/// Throws ALREADY_EXISTS when output_dir has content that the run may neither overwrite nor continue.
void require_usable_output_dir(const TrainingArguments& arguments, const ResolvedConfig& config);

}  // namespace ftrun
