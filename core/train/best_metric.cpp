// Names from the paradigm's plan.
#include "core/train/best_metric.h"

#include <algorithm>
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

}  // namespace ftrun
