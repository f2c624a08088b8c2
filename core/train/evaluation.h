// Measures of the model as it is: the mean loss over the evaluation data, and what the paradigm measures by itself.
// Leaves out: when (step_position.h), what follows from it (best_metric.h), logging it (trainer.h).
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/train/run.h"

namespace ftrun {

/// The loss and what the paradigm measured of each update, under their names in results ("eval_loss", ...).
/// `before_update` is called before each of the evaluation's updates and may throw to end it. Collective.
std::map<std::string, double> evaluate_loss(Run& run, const std::function<void()>& before_update);

/// Has the paradigm measures of its own in this phase?
bool paradigm_measures(const ParadigmInstance& paradigm, ftrun_evaluation_phase phase);

/// Runs the paradigm's own measures of the phase and moves what they reported into `measures`. Throws CANCELLED when a
/// stop was asked for. Collective.
void add_paradigm_measures(Run& run, ftrun_evaluation_phase phase, nlohmann::json& measures);

}  // namespace ftrun
