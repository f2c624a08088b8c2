// First what has lost its purpose, so that it takes no place within the limit.
#include "core/train/checkpoint_retention.h"

#include <optional>

#include "core/base/logging.h"
#include "core/io/checkpoint.h"

namespace ftrun {
namespace fs = std::filesystem;

void remove_superseded_checkpoints(const fs::path& output_dir, const Retention& retention) {
  for (const Checkpoint& checkpoint : list_checkpoints(output_dir)) {
    if (checkpoint.step == retention.newest_step || checkpoint.path.filename() == retention.best.filename()) continue;
    const CheckpointPurpose purpose = purpose_of(checkpoint.path);
    if (purpose == CheckpointPurpose::kPeriodic) continue;
    remove_checkpoint(checkpoint);
    if (purpose != CheckpointPurpose::kStop) continue;
    log_info("removed '{}': it was there to continue from after an interruption", checkpoint.path.string());
  }
  std::optional<fs::path> best;
  if (!retention.best.empty()) best = retention.best;
  enforce_save_total_limit(output_dir, retention.save_total_limit, best);
}

}  // namespace ftrun
