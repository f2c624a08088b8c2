// Names from the paradigm's plan; values as the Hugging Face trainer's EarlyStoppingCallback compares them.
#include "core/train/best_metric.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/model/abi_struct.h"

namespace ftrun {

bool has_perplexity(const ParadigmInstance& paradigm) {
  return !paradigm.denominators().empty() && paradigm.denominators().front() == "tokens";
}

void require_measured_metric(const Run& run) {
  const TrainingArguments& a = run.arguments();
  if (!a.load_best_model_at_end && a.early_stopping_steps == 0) return;
  std::vector<std::string> known = {"loss"};
  if (has_perplexity(run.paradigm())) known.emplace_back("perplexity");
  std::istringstream reported{std::string(text_of(run.plan().metrics))};
  for (std::string name; std::getline(reported, name, ',');) known.push_back(name);
  const std::string wanted = a.metric_for_best_model.substr(std::string_view("eval_").size());
  if (std::ranges::find(known, wanted) != known.end()) return;
  throw invalid_argument(
      "{}: metric_for_best_model: '{}' is not measured by evaluations during training{}: expected one of: {}",
      run.setup().config().origin("metric_for_best_model"), run.setup().config().get_string("metric_for_best_model"),
      did_you_mean(wanted, known), fmt::join(known, ", "));
}

bool enter_evaluation(TrainerState& state, double value, bool greater_is_better) {
  const bool better =
      std::isfinite(value) &&
      (!state.best_metric || (greater_is_better ? value > *state.best_metric : value < *state.best_metric));
  if (!better) {
    ++state.evaluations_without_gain;
    return false;
  }
  state.best_metric = value;
  state.best_global_step = state.global_step;
  state.best_model_checkpoint.clear();
  state.evaluations_without_gain = 0;
  return true;
}

bool is_stopped_early(const TrainerState& state, const TrainingArguments& arguments) {
  return arguments.early_stopping_steps > 0 && state.evaluations_without_gain >= arguments.early_stopping_steps;
}

}  // namespace ftrun
