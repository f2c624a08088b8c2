// Every rank walks its rows of every update; sums meet at the end.
#include "core/train/evaluation.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/train/best_metric.h"
#include "core/train/metric_means.h"
#include "core/train/progress.h"
#include "core/train/update.h"

namespace ftrun {

std::map<std::string, double> evaluate_loss(Run& run, const std::function<void()>& before_update) {
  MetricMeans means;
  run.services().metrics.clear();
  double weighted = 0;
  double weight = 0;
  Progress progress("evaluating", run.plan().eval_updates);
  for (int64_t index = 0; index < run.plan().eval_updates; ++index) {
    before_update();
    const UpdateScope scope(run, FTRUN_SPLIT_EVAL, 0, index);
    const Denominators denominators = scope.denominators(run);
    for (int32_t micro_batch = 0; micro_batch < scope.update().n_micro_batches; ++micro_batch) {
      const Tensor loss =
          run.rank().evaluate([&] { return paradigm_loss(run, scope.update(), micro_batch, denominators.data()); });
      weighted += value_of(run, loss) * denominators[0];
    }
    weight += denominators[0];
    means.add(take_metrics(run), denominators[0]);
    progress.advance_to(index + 1);
    progress.clear();
  }
  run.communicator().sum_host(std::span(&weighted, 1));
  if (!(weight > 0)) throw failed_precondition("the evaluation data has nothing to measure a loss on");
  std::map<std::string, double> measures;
  for (const auto& [name, mean] : means.take()) measures["eval_" + name] = mean;
  measures["eval_loss"] = weighted / weight;
  if (has_perplexity(run.paradigm())) measures["eval_perplexity"] = std::exp(weighted / weight);
  return measures;
}

bool paradigm_measures(const ParadigmInstance& paradigm, ftrun_evaluation_phase phase) {
  if (!paradigm.plugin().provides("evaluate")) return false;
  int32_t wanted = 0;
  check_plugin(paradigm.table().evaluate(paradigm.self(), nullptr, phase, &wanted), paradigm.plugin(), "evaluate");
  return wanted != 0;
}

void add_paradigm_measures(Run& run, ftrun_evaluation_phase phase, nlohmann::json& measures) {
  const ParadigmInstance& paradigm = run.paradigm();
  if (!paradigm_measures(paradigm, phase)) return;
  int32_t wanted = 1;
  run.services().metrics.clear();
  check_plugin(paradigm.table().evaluate(paradigm.self(), run.context(), phase, &wanted), paradigm.plugin(),
               "evaluate");
  for (const auto& [name, value] : run.services().metrics) {
    measures[name] = value;
    log_info("{} = {:.4f}", name, value);
  }
}

}  // namespace ftrun
