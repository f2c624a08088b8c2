// Which measures come with every evaluation, and whether metric_for_best_model is one of them.
// Leaves out: judging by it (trainer.h).
#pragma once

#include "core/train/run.h"

namespace ftrun {

/// The mean over tokens of a negative log-likelihood has a perplexity; other losses have none.
bool has_perplexity(const ParadigmInstance& paradigm);

/// Throws INVALID_ARGUMENT with the nearest name when the best model is to be chosen, or training stopped early, by a
/// measure that evaluations during training do not give (paradigms measure more at the end of a run). [rank-thread]
void require_measured_metric(const Run& run);

}  // namespace ftrun
