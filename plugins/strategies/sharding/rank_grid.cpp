// Groups of ranks from the world and a group size.
#include "sharding/rank_grid.h"

#include <string>
#include <vector>

namespace ftrun::sharding {
namespace {

std::string divisors_of(int32_t world) {
  std::string text;
  for (int32_t size = 1; size <= world; ++size) {
    if (world % size == 0) text += (text.empty() ? "" : ", ") + std::to_string(size);
  }
  return text;
}

}  // namespace

RankGrid make_rank_grid(const sdk::ShardCalls& calls, int32_t rank, int32_t world, int64_t group_size,
                        const std::string& origin) {
  RankGrid grid;
  grid.world = world;
  grid.shards = group_size == 0 ? world : static_cast<int32_t>(group_size);
  if (group_size > world || world % grid.shards != 0) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, origin + "shard_group_size: " + std::to_string(group_size) +
                                                 " does not divide the run's " + std::to_string(world) +
                                                 " ranks: use one of " + divisors_of(world) + ", or change --nproc");
  }
  grid.shard = rank % grid.shards;
  grid.replicas = world / grid.shards;
  grid.replica = rank / grid.shards;
  if (grid.replicas == 1) return grid;
  std::vector<int32_t> ranks;
  for (int32_t i = 0; i < grid.shards; ++i) ranks.push_back(grid.replica * grid.shards + i);
  grid.shard_group = calls.group(ranks);
  ranks.clear();
  for (int32_t i = 0; i < grid.replicas; ++i) ranks.push_back(i * grid.shards + grid.shard);
  grid.replica_group = calls.group(ranks);
  return grid;
}

}  // namespace ftrun::sharding
