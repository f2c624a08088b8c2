// Where an update stands: in its epoch, in its run, and what is due once it is done.
// Leaves out: doing it (trainer.h) and the order of rows (core/data/data_order.h).
#pragma once

#include <cstdint>

#include "core/train/training_arguments.h"

namespace ftrun {

/// Sizes of a run, in updates and micro-batches over all ranks.
struct RunLength {
  int64_t updates_per_epoch = 1;
  int64_t micro_batches_per_epoch = 1;  ///< the last one may be short
  int64_t accumulation = 1;             ///< micro-batches per update; an epoch's last update may have fewer
  int64_t max_steps = 1;
};

/// `examples` rows per epoch, `rows_per_micro_batch` over all ranks.
RunLength run_length(int64_t examples, int64_t rows_per_micro_batch, int64_t accumulation, int64_t updates_per_epoch,
                     int64_t max_steps);

/// Epochs that the first `step` updates are, counted in micro-batches, so that an epoch's short last update weighs what
/// it has. Source: transformers/trainer.py (v5.23), Trainer._run_epoch.
double epochs_after(int64_t step, const RunLength& length);

/// Things that happen between updates.
struct DueWork {
  bool log = false;
  bool evaluate = false;
  bool save = false;
};

/// After update `step` (1-based; before the first one nothing is due). The run's last update ends the epoch that it is
/// in and, with save_strategy steps, is saved, as in the Hugging Face trainer. Pure, so that a resumed run finds out
/// what the interrupted one still owed.
DueWork due_after(int64_t step, const RunLength& length, const TrainingArguments& arguments);

}  // namespace ftrun
