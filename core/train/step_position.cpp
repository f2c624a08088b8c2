// Whole numbers; the one division is written as the Hugging Face trainer writes it, so that the bits are the same.
#include "core/train/step_position.h"

#include <algorithm>

namespace ftrun {

RunLength run_length(int64_t examples, int64_t rows_per_micro_batch, int64_t accumulation, int64_t updates_per_epoch,
                     int64_t max_steps) {
  const int64_t micro_batches = (examples + rows_per_micro_batch - 1) / rows_per_micro_batch;
  // A paradigm whose updates are not windows of its rows has none that are short.
  const bool is_windowed = (micro_batches + accumulation - 1) / accumulation == updates_per_epoch;
  return {updates_per_epoch, is_windowed ? micro_batches : updates_per_epoch * accumulation, accumulation, max_steps};
}

double epochs_after(int64_t step, const RunLength& length) {
  if (step <= 0) return 0;
  const int64_t epoch = (step - 1) / length.updates_per_epoch;
  const int64_t updates = step - epoch * length.updates_per_epoch;
  const int64_t micro_batches = std::min(updates * length.accumulation, length.micro_batches_per_epoch);
  return static_cast<double>(epoch) +
         static_cast<double>(micro_batches) / static_cast<double>(length.micro_batches_per_epoch);
}

DueWork due_after(int64_t step, const RunLength& length, const TrainingArguments& arguments) {
  if (step <= 0) return {};
  const bool is_last = step >= length.max_steps;
  const bool ends_epoch = is_last || step % length.updates_per_epoch == 0;
  const Period& saving = arguments.saving;
  DueWork due;
  due.log = arguments.logging.is_due(step, ends_epoch) || (arguments.logging_first_step && step == 1);
  due.evaluate = arguments.evaluation.is_due(step, ends_epoch);
  due.save = saving.is_due(step, ends_epoch) || (saving.unit == Period::Unit::kSteps && is_last);
  return due;
}

}  // namespace ftrun
