// One factor function per schedule and the table that names them.
#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace {

double ratio(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(1, whole));
}

double progress_after_warmup(int64_t step, const ScheduleArguments& a) {
  return ratio(step - a.warmup_steps, a.total_steps - a.warmup_steps);
}

double linear_factor(int64_t step, const ScheduleArguments& a) {
  return std::max(0.0, ratio(a.total_steps - step, a.total_steps - a.warmup_steps));
}

double cosine_factor(int64_t step, const ScheduleArguments& a) {
  return std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * progress_after_warmup(step, a))));
}

double cosine_with_min_lr_factor(int64_t step, const ScheduleArguments& a) {
  const double floor = a.min_lr / a.learning_rate;
  const double factor = 0.5 * (1.0 + std::cos(std::numbers::pi * progress_after_warmup(step, a)));
  return std::max(0.0, factor * (1 - floor) + floor);
}

double constant_factor(int64_t, const ScheduleArguments&) { return 1.0; }

double inverse_sqrt_factor(int64_t step, const ScheduleArguments& a) {
  const int64_t timescale = a.warmup_steps > 0 ? a.warmup_steps : 10000;
  return 1.0 / std::sqrt(static_cast<double>(step + timescale - a.warmup_steps) / static_cast<double>(timescale));
}

struct NamedSchedule {
  const char* name;
  double (*factor)(int64_t step, const ScheduleArguments& arguments);
  bool has_warmup;
};

constexpr NamedSchedule kSchedules[] = {
    {"linear", linear_factor, true},
    {"cosine", cosine_factor, true},
    {"cosine_with_min_lr", cosine_with_min_lr_factor, true},
    {"constant", constant_factor, false},
    {"constant_with_warmup", constant_factor, true},
    {"inverse_sqrt", inverse_sqrt_factor, true},
};

}  // namespace

std::span<const std::string> schedule_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const NamedSchedule& schedule : kSchedules) result.emplace_back(schedule.name);
    return result;
  }();
  return names;
}

Schedule make_schedule(std::string_view name, const ScheduleArguments& arguments) {
  for (const NamedSchedule& schedule : kSchedules) {
    if (name != schedule.name) continue;
    return [schedule, arguments](int64_t step) {
      const bool warming = schedule.has_warmup && step < arguments.warmup_steps;
      const double factor = warming ? ratio(step, arguments.warmup_steps) : schedule.factor(step, arguments);
      return arguments.learning_rate * factor;
    };
  }
  throw invalid_argument("lr_scheduler_type '{}' is not known{}: expected one of {}", name,
                         did_you_mean(name, schedule_names()), fmt::join(schedule_names(), ", "));
}

int64_t warmup_updates(double warmup_steps, double warmup_ratio, int64_t total_steps) {
  if (warmup_steps >= 1) return static_cast<int64_t>(warmup_steps);
  const double share = warmup_steps > 0 ? warmup_steps : warmup_ratio;
  return static_cast<int64_t>(std::ceil(static_cast<double>(total_steps) * share));
}

}  // namespace ftrun
