// Strategy `zero2`: optimizer state and gradients in slices; weights are whole on every rank. Gradients are reduced
// every micro-batch, unit by unit as backward completes them. Source: Rajbhandari et al. 2020, ZeRO, stage 2.
#include "ftrun/cpp/strategy.hpp"
#include "sharding/composition.h"
#include "sharding/imported_strategy.h"
#include "sharding/micro_batch_gradients.h"

namespace ftrun::sharding {
namespace {

constexpr char kId[] = "zero2";
constexpr ftrun_option kOptions[] = {kReduceDtype, kOffloadOptimizer, kOffloadParam, kExpects, kDeepspeed};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

Pieces pieces(const OptionReader& read) {
  read.refuse_offload_param("zero2");
  Pieces made;
  made.weights.updates_slice = true;
  made.optimizer = read.placement("offload_optimizer");
  made.gradients = std::make_unique<MicroBatchGradients>(true, made.optimizer);
  made.reduce_dtype = read.reduce_dtype();
  return made;
}

constexpr ftrun_strategy kTable = sdk::StrategyThunks<ComposedStrategy<pieces>>::table();

}  // namespace
}  // namespace ftrun::sharding

FTRUN_PLUGIN_WITH_EXTENSIONS(FTRUN_KIND_STRATEGY, "zero2", "1.0.0", "optimizer state and gradients in slices",
                             &ftrun::sharding::kOptionTable, &ftrun::sharding::kTable,
                             ftrun::sharding::ForeignConfigReader<ftrun::sharding::kId>::extension);
