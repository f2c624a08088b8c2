// Saving and restoring a run: the model folder at the end, checkpoints on the way, resuming bit for bit.
// Everything here is collective: all ranks of the run call it.
// Leaves out: folder atomicity and limits (core/io/checkpoint.h), when to save (trainer.h).
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/io/checkpoint.h"
#include "core/train/run.h"
#include "core/train/trainer_state.h"

namespace ftrun {

/// model_saving.h's save_model. Here and
/// in save_checkpoint, what cannot be written is DATA_LOSS: the run fails (exit code 1).
void save_model_folder(Run& run, const std::filesystem::path& folder);

/// Bytes of a checkpoint and of the final model, exact but for JSON files.
struct SaveBytes {
  uint64_t model = 0;
  uint64_t checkpoint = 0;
};
SaveBytes save_bytes(const Run& run);

/// Writes output_dir/checkpoint-STEP as a whole or not at all: model, optimizer state (unless save_only_model), trainer
/// state; each rank its part. Returns the folder.
std::filesystem::path save_checkpoint(Run& run, const TrainerState& state,
                                      CheckpointPurpose purpose = CheckpointPurpose::kPeriodic);

/// Throws RESOURCE_EXHAUSTED when the checkpoints that the run keeps at one time and the final model do not fit beside
/// output_dir: an estimate, since others use the disk too and runs stop early. Logs it otherwise.
void require_disk_for_run(Run& run, int64_t first_step);

/// Puts weights, optimizer state and position back. Throws INVALID_ARGUMENT when the checkpoint is of another model,
/// batch, seed, precision or data, naming the key that differs and what restores it; warns in one line of other
/// settings that have changed.
TrainerState restore_checkpoint(Run& run, const std::filesystem::path& checkpoint);

/// Overwrites the trained weights from a model folder or checkpoint.
void load_weights(Run& run, const std::filesystem::path& folder);

/// Rows per update over all ranks.
int64_t global_batch(const Run& run);

}  // namespace ftrun
