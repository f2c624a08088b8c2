// Learning-rate schedules by name, as the Hugging Face trainer defines them.
// Source: transformers/optimization.py (v5.23), get_scheduler and the functions it names.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace ftrun {

/// What a schedule is made from.
struct ScheduleArguments {
  double learning_rate = 5e-5;
  int64_t total_steps = 0;
  int64_t warmup_steps = 0;
  double min_lr = 0;  ///< floor of schedules that have one, in units of the learning rate itself
};

/// lr(step): the learning rate of the update with 0-based index `step`. Pure.
using Schedule = std::function<double(int64_t step)>;

/// Throws INVALID_ARGUMENT with the nearest name for a schedule that does not exist.
Schedule make_schedule(std::string_view name, const ScheduleArguments& arguments);

/// All names, in the order of their documentation.
std::span<const std::string> schedule_names();

/// Warm-up updates: `warmup_steps` when positive (a value in (0, 1) is a ratio, as in transformers 5), otherwise
/// ceil(total_steps * warmup_ratio).
int64_t warmup_updates(double warmup_steps, double warmup_ratio, int64_t total_steps);

}  // namespace ftrun
