// Strategy `zero1`: optimizer state in slices; weights and gradients are whole on every rank. Gradients are reduced
// once per update, each rank updates its slice of the weights, and the slices are gathered. Source: Rajbhandari et al.
// 2020, ZeRO, stage 1.
#include "ftrun/cpp/strategy.hpp"
#include "sharding/composition.h"
#include "sharding/imported_strategy.h"
#include "sharding/micro_batch_gradients.h"
#include "sharding/update_gradients.h"

namespace ftrun::sharding {
namespace {

constexpr char kId[] = "zero1";
constexpr ftrun_option kOptions[] = {kReduceEveryMicroBatch, kReduceBucketSize, kReduceDtype, kOffloadOptimizer,
                                     kOffloadParam,          kExpects,          kDeepspeed};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

Pieces pieces(const OptionReader& read) {
  read.refuse_offload_param("zero1");
  Pieces made;
  made.weights.updates_slice = true;
  made.optimizer = read.placement("offload_optimizer");
  if (read.flag("reduce_every_micro_batch")) {
    // Then only the slice of the sum is ever needed: this is zero2.
    made.gradients = std::make_unique<MicroBatchGradients>(true, made.optimizer);
  } else {
    made.gradients = std::make_unique<UpdateGradients>(true, read.integer("reduce_bucket_size"));
  }
  made.reduce_dtype = read.reduce_dtype();
  return made;
}

constexpr ftrun_strategy kTable = sdk::StrategyThunks<ComposedStrategy<pieces>>::table();

}  // namespace
}  // namespace ftrun::sharding

FTRUN_PLUGIN_WITH_EXTENSIONS(FTRUN_KIND_STRATEGY, "zero1", "1.0.0", "optimizer state in slices",
                             &ftrun::sharding::kOptionTable, &ftrun::sharding::kTable,
                             ftrun::sharding::ForeignConfigReader<ftrun::sharding::kId>::extension);
