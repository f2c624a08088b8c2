// The points between updates, in the order in which a run passes them. Who watches a run is told of each.
// Leaves out: what is done there (trainer.h).
#pragma once

#include <cstdint>
#include <functional>

namespace ftrun {

enum class TrainingEvent {
  kResumed,         ///< a checkpoint's state is back; nothing has been done with it
  kUpdated,         ///< an update has changed the weights; nothing is written or counted of it
  kLogged,          ///< its log line is written
  kEvaluating,      ///< before each update of an evaluation
  kEvaluated,       ///< an evaluation is logged; the best model is not chosen anew
  kSaving,          ///< before a checkpoint is begun
  kSaved,           ///< it stands under its name; older ones that it replaces are still there
  kStepDone,        ///< everything that was due after the update has been done
  kTrained,         ///< no update is left; nothing is written of the results
  kTrainResults,    ///< train_results.json is written; the final model is not
  kModelSaved,      ///< the final model is written; its evaluation is not made
  kResultMeasured,  ///< the final model is evaluated; nothing is written of it
  kResultsWritten,  ///< eval_results.json is written; the run's own state and plots are not
};

/// Called on every rank with the number of updates done. May throw, which ends the run. [rank-thread]
using TrainingObserver = std::function<void(TrainingEvent event, int64_t step)>;

}  // namespace ftrun
