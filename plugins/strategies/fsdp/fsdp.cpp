// Strategy `fsdp`: fully sharded data parallel. full_shard is zero3; shard_grad_op keeps gathered weights from a
// micro-batch's forward to its backward; hybrid_shard shards within groups of ranks that are replicas of each other.
// Source: Zhao et al. 2023, PyTorch FSDP; torch.distributed.fsdp.ShardingStrategy.
#include "ftrun/cpp/strategy.hpp"
#include "sharding/composition.h"
#include "sharding/imported_strategy.h"
#include "sharding/micro_batch_gradients.h"

namespace ftrun::sharding {
namespace {

constexpr ftrun_option kShardingStrategy =
    sdk::with_choices(sdk::option("sharding_strategy", FTRUN_OPTION_STRING, "full_shard",
                                  "What is sharded when; hybrid_shard: within groups of shard_group_size ranks."),
                      "full_shard,shard_grad_op,hybrid_shard");
constexpr ftrun_option kReshardAfterForward =
    sdk::option("reshard_after_forward", FTRUN_OPTION_BOOL, "",
                "Free gathered weights after forward and gather them again for backward; true but for shard_grad_op.");
constexpr ftrun_option kShardGroupSize = sdk::with_range(
    sdk::option("shard_group_size", FTRUN_OPTION_INT, "", "Ranks that share one copy of the state under hybrid_shard."),
    {1, 1e6});
constexpr char kId[] = "fsdp";
constexpr ftrun_option kOptions[] = {kShardingStrategy, kReshardAfterForward, kShardGroupSize, kPrefetch, kReduceDtype,
                                     kOffloadOptimizer, kOffloadParam,        kExpects,        kFsdp};
constexpr ftrun_option_table kOptionTable = sdk::option_table(kOptions);

bool reshards(const OptionReader& read) {
  const bool grad_op = read.text("sharding_strategy") == "shard_grad_op";
  if (!read.values().is_set("reshard_after_forward")) return !grad_op;
  const bool chosen = read.flag("reshard_after_forward");
  if (grad_op && chosen) {
    read.refuse("reshard_after_forward",
                "true contradicts sharding_strategy: shard_grad_op, which keeps gathered weights until backward: use "
                "full_shard, or leave reshard_after_forward out");
  }
  return chosen;
}

int64_t group_size(const OptionReader& read) {
  const bool hybrid = read.text("sharding_strategy") == "hybrid_shard";
  const bool given = read.values().is_set("shard_group_size");
  if (hybrid && !given) {
    read.refuse("sharding_strategy",
                "hybrid_shard shards within groups of ranks: set shard_group_size to the ranks of one group, a divisor "
                "of the number of ranks");
  }
  if (!hybrid && given) {
    read.refuse("shard_group_size", "only sharding_strategy: hybrid_shard has groups: choose it, or leave this out");
  }
  return given ? read.integer("shard_group_size") : 0;
}

Pieces pieces(const OptionReader& read) {
  Pieces made;
  made.weights.sliced = made.weights.updates_slice = true;
  made.weights.reshard_after_forward = reshards(read);
  made.shard_group_size = group_size(read);
  made.weights.prefetch = read.flag("prefetch");
  made.weights.placement = read.placement("offload_param");
  made.optimizer = read.placement("offload_optimizer");
  made.gradients = std::make_unique<MicroBatchGradients>(true, made.optimizer);
  made.reduce_dtype = read.reduce_dtype();
  return made;
}

constexpr ftrun_strategy kTable = sdk::StrategyThunks<ComposedStrategy<pieces>>::table();

}  // namespace
}  // namespace ftrun::sharding

FTRUN_PLUGIN_WITH_EXTENSIONS(FTRUN_KIND_STRATEGY, "fsdp", "1.0.0", "everything in slices, as PyTorch FSDP keeps it",
                             &ftrun::sharding::kOptionTable, &ftrun::sharding::kTable,
                             ftrun::sharding::ForeignConfigReader<ftrun::sharding::kId>::extension);
