// Strategy `zero3`: optimizer state, gradients and weights in slices. A unit's weights are gathered for its forward and
// again for its backward, the next unit's while one is computed.
// Source: Rajbhandari et al. 2020, ZeRO, stage 3.
#include "ftrun/cpp/strategy.hpp"
#include "sharding/composition.h"
#include "sharding/imported_strategy.h"
#include "sharding/micro_batch_gradients.h"

namespace ftrun::sharding {
namespace {

constexpr char kId[] = "zero3";
constexpr ftrun_option kOptions[] = {kPersistenceThreshold, kPrefetch, kReduceDtype, kOffloadOptimizer,
                                     kOffloadParam,         kExpects,  kDeepspeed};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

Pieces pieces(const OptionReader& read) {
  Pieces made;
  made.weights.sliced = made.weights.updates_slice = true;
  made.weights.prefetch = read.flag("prefetch");
  made.weights.persistence_threshold = read.integer("param_persistence_threshold");
  made.weights.placement = read.placement("offload_param");
  made.optimizer = read.placement("offload_optimizer");
  made.gradients = std::make_unique<MicroBatchGradients>(true, made.optimizer);
  made.reduce_dtype = read.reduce_dtype();
  return made;
}

constexpr ftrun_strategy kTable = sdk::StrategyThunks<ComposedStrategy<pieces>>::table();

}  // namespace
}  // namespace ftrun::sharding

FTRUN_PLUGIN_WITH_EXTENSIONS(FTRUN_KIND_STRATEGY, "zero3", "1.0.0", "optimizer state, gradients and weights in slices",
                             &ftrun::sharding::kOptionTable, &ftrun::sharding::kTable,
                             ftrun::sharding::ForeignConfigReader<ftrun::sharding::kId>::extension);
