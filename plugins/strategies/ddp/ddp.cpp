// Strategy `ddp`: every rank holds everything and updates everything; gradients are summed over the ranks.
#include "ftrun/cpp/strategy.hpp"
#include "sharding/composition.h"
#include "sharding/imported_strategy.h"
#include "sharding/micro_batch_gradients.h"
#include "sharding/update_gradients.h"

namespace ftrun::sharding {
namespace {

constexpr char kId[] = "ddp";
constexpr ftrun_option kOptions[] = {kReduceEveryMicroBatch, kReduceBucketSize, kReduceDtype, kOffloadOptimizer,
                                     kOffloadParam,          kExpects,          kDeepspeed,   kFsdp};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

Pieces pieces(const OptionReader& read) {
  read.refuse_offload_param("ddp");
  Pieces made;
  if (read.flag("reduce_every_micro_batch")) {
    made.gradients = std::make_unique<MicroBatchGradients>(false, FTRUN_PLACEMENT_DEVICE);
  } else {
    made.gradients = std::make_unique<UpdateGradients>(false, read.integer("reduce_bucket_size"));
  }
  made.optimizer = read.placement("offload_optimizer");
  made.reduce_dtype = read.reduce_dtype();
  return made;
}

constexpr ftrun_strategy kTable = sdk::StrategyThunks<ComposedStrategy<pieces>>::table();

}  // namespace
}  // namespace ftrun::sharding

FTRUN_PLUGIN_WITH_EXTENSIONS(FTRUN_KIND_STRATEGY, "ddp", "1.0.0", "every rank holds everything, gradients are summed",
                             &ftrun::sharding::kOptionTable, &ftrun::sharding::kTable,
                             ftrun::sharding::ForeignConfigReader<ftrun::sharding::kId>::extension);
