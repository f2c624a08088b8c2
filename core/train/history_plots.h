// The curves of a run's log_history: training loss, evaluation loss, each measure of the paradigm.
// Leaves out: drawing (loss_plot.h).
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace ftrun {

/// Writes FOLDER/training_loss.svg, training_eval_loss.svg (from two evaluations on) and training_NAME.svg for each
/// number that the paradigm measured at least twice; '/' in names becomes '_'.
void write_history_plots(const std::filesystem::path& folder, const nlohmann::json& log_history);

}  // namespace ftrun
