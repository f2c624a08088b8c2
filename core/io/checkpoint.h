// Checkpoint folders that exist completely or not at all: written aside, flushed, renamed; listed, limited, cleaned.
// Leaves out: what is inside (model_folder.h, sharded_writer.h, state_file.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ftrun {

/// What a checkpoint is kept for, the weakest reason first. Its manifest says so.
enum class CheckpointPurpose {
  kStop,      ///< the run was interrupted here: until a later one, or the result, is written
  kBest,      ///< nothing but the best evaluation: until there is a better one
  kPeriodic,  ///< save_strategy
};

/// Writes OUTPUT_DIR/checkpoint-STEP. Fill folder(), then commit(); without commit() everything is removed again.
/// One process creates it; other ranks write files into folder() while the creator holds it. Not thread-safe.
class CheckpointWriter {
 public:
  /// Creates OUTPUT_DIR where missing and a hidden temporary folder in it, locked as long as this object lives.
  /// Throws RESOURCE_EXHAUSTED naming both figures when fewer than `needed_bytes` are free.
  CheckpointWriter(const std::filesystem::path& output_dir, int64_t step, uint64_t needed_bytes = 0,
                   CheckpointPurpose purpose = CheckpointPurpose::kPeriodic);
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  ~CheckpointWriter();

  /// The temporary folder; write files (and sub-folders) here.
  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// Writes the manifest, flushes every file and folder to disk and renames to checkpoint-STEP as the last act. A
  /// checkpoint of the same step is replaced in one step. Returns the final path. Throws DATA_LOSS.
  std::filesystem::path commit();

 private:
  std::filesystem::path output_dir_;
  std::filesystem::path folder_;
  std::filesystem::path final_path_;
  CheckpointPurpose purpose_;
  int lock_ = -1;
};

struct Checkpoint {
  int64_t step = 0;
  std::filesystem::path path;
};

/// Every checkpoint-N folder of `output_dir`, complete or not, by ascending step. Empty when the folder is missing.
std::vector<Checkpoint> list_checkpoints(const std::filesystem::path& output_dir);

/// "" when the folder holds every file of its manifest with its size and content (XXH3: every byte is read); otherwise
/// what is wrong, for a message.
std::string incomplete_reason(const std::filesystem::path& checkpoint);
bool is_complete(const std::filesystem::path& checkpoint);

/// The complete checkpoint with the highest step.
std::optional<Checkpoint> newest_complete_checkpoint(const std::filesystem::path& output_dir);

/// Removes the oldest checkpoints until `limit` are left, as the HF trainer does: the best one (if given) is never
/// removed, and neither is the newest, so with limit 1 and another best two stay. limit <= 0 means no limit. Returns
/// what was removed. A removal that is interrupted leaves a temporary, never part of a checkpoint.
std::vector<std::filesystem::path> enforce_save_total_limit(const std::filesystem::path& output_dir, int64_t limit,
                                                            const std::optional<std::filesystem::path>& best = {});

/// kPeriodic where the manifest cannot be read or says nothing.
CheckpointPurpose purpose_of(const std::filesystem::path& checkpoint);

/// Removes one checkpoint; interrupted, it leaves a temporary, never part of a checkpoint.
void remove_checkpoint(const Checkpoint& checkpoint);

/// Renames a checkpoint to checkpoint-N.REASON (-1, -2, ... where that exists), which is no checkpoint any more.
/// Returns the new path.
std::filesystem::path set_aside(const Checkpoint& checkpoint, std::string_view reason);

/// Removes what killed runs left in `output_dir`: temporary checkpoint folders and weight files. Those of runs that are
/// still alive stay. Call once at start. Returns what was removed.
std::vector<std::filesystem::path> remove_leftover_temporaries(const std::filesystem::path& output_dir);

}  // namespace ftrun
