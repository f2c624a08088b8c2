// Who holds which slice: the ranks as groups that share one copy of the state, and replicas of such groups.
// Leaves out: what is sliced (weights, gradients, optimizer state have files of their own).
#pragma once

#include <cstdint>

#include "ftrun/cpp/shard_calls.hpp"

namespace ftrun::sharding {

/// Elements [begin, end) of a unit's padded flat part.
struct Region {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const noexcept { return end - begin; }
};

/// World ranks in consecutive groups of `shards`: each group holds one whole copy of what is sliced, one slice per
/// rank. Ranks with the same place in their groups are replicas of each other.
struct RankGrid {
  int32_t world = 1;
  int32_t shards = 1;                    ///< slices a unit is cut into
  int32_t shard = 0;                     ///< this rank's
  int32_t replicas = 1;                  ///< groups
  int32_t replica = 0;                   ///< this rank's group
  ftrun_group* shard_group = nullptr;    ///< nullptr: the world
  ftrun_group* replica_group = nullptr;  ///< of replicas > 1

  /// This rank's slice of a part. Parts are padded to a multiple of 16 times the world, so any divisor of it cuts them.
  Region slice(int64_t padded_elements) const noexcept {
    const int64_t length = padded_elements / shards;
    return {shard * length, (shard + 1) * length};
  }
  /// What this rank adds to a sum over all elements in which each stands once: of its slice, the share of its group.
  Region counted_once(int64_t padded_elements) const noexcept {
    const int64_t length = padded_elements / world;
    const int64_t begin = slice(padded_elements).begin + replica * length;
    return {begin, begin + length};
  }
};

/// The grid of this rank; `group_size` 0 is the world. INVALID_ARGUMENT, with `origin` before the message, when it does
/// not divide the world.
RankGrid make_rank_grid(const sdk::ShardCalls& calls, int32_t rank, int32_t world, int64_t group_size,
                        const std::string& origin);

}  // namespace ftrun::sharding
