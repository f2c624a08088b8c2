// What makes a run worthless although nothing fails: said as warnings, since only the user knows what was meant.
// Leaves out: settings that merely change nothing (idle_settings.h) and what is refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/resolve.h"
#include "core/data/dataset.h"
#include "core/train/training_arguments.h"

namespace ftrun {

/// One line "ORIGIN: KEY: ..." with counts for each of: most rows cut so that headers or end tokens are lost, most rows
/// dropped, answers that are empty, evaluation rows that are the training rows.
std::vector<std::string> futile_data(const PreparedData& prepared, const DataSpec& spec);

/// The same for a learning rate that is 0 or, in a run of `max_steps` updates, never what learning_rate says.
std::vector<std::string> futile_schedule(const ResolvedConfig& config, const TrainingArguments& arguments,
                                         int64_t max_steps);

/// The keys that decide whether anything has a gradient, each with the place where it is given: numbers that the
/// paradigm was given, what finetuning_type trains, the rows. For messages.
std::string gradient_keys(const ResolvedConfig& config);

/// "" unless an update this early has no gradient at all: then no later one will have one either, whatever the
/// schedule.
std::string futile_update(int64_t step, double loss, double grad_norm, const ResolvedConfig& config);

}  // namespace ftrun
