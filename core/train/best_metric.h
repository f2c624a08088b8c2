// The measure that the best model is chosen and training is stopped early by: whether evaluations give it, and what one
// of them changes. Leaves out: saving the best model (trainer.h).
#pragma once

#include "core/train/run.h"
#include "core/train/trainer_state.h"

namespace ftrun {

/// The mean over tokens of a negative log-likelihood has a perplexity; other losses have none.
bool has_perplexity(const ParadigmInstance& paradigm);

/// Throws INVALID_ARGUMENT with the nearest name when the best model is to be chosen, or training stopped early, by a
/// measure that evaluations during training do not give (paradigms measure more at the end of a run). [rank-thread]
void require_measured_metric(const Run& run);

/// Enters what an evaluation after update `state.global_step` found of metric_for_best_model. Returns whether it is the
/// best so far; then best_metric and best_global_step say so, and no checkpoint is named for it yet. A value that is
/// not finite is never the best.
bool enter_evaluation(TrainerState& state, double value, bool greater_is_better);

/// Have evaluations been without gain for early_stopping_steps (0: off)?
bool is_stopped_early(const TrainerState& state, const TrainingArguments& arguments);

}  // namespace ftrun
