// The collectives on device memory, as exchanges of bounded pieces and sums in rank order.
// Leaves out: queueing, events, checks and accounting (communicator.cpp).
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/collectives/byte_mover.h"
#include "core/collectives/communicator.h"
#include "core/collectives/rank_sum.h"

namespace ftrun {

/// `elements` cut into one part per rank of a group: part i is [begin(i), begin(i) + size(i)), equal but for the last.
struct RankParts {
  RankParts(int64_t all, int32_t ranks) : elements(all), part((all + ranks - 1) / ranks) {}
  int64_t begin(int32_t index) const noexcept { return std::min(elements, index * part); }
  int64_t size(int32_t index) const noexcept { return begin(index + 1) - begin(index); }
  int64_t elements;
  int64_t part;
};

/// What every collective needs; borrowed for the call.
struct CollectiveCall {
  ByteMover& mover;
  const CommunicatorGroup& group;
  uint64_t element_bytes = 1;
};

/// How a reduction adds.
struct SumCall {
  RankSum& sum;
  OpHandle op = 0;
  ftrun_dtype dtype = FTRUN_F32;
};

/// out = sum over ranks of this rank's part of `data`; out's lane is the sum's. `out` may be that part of `data`.
void reduce_parts(const CollectiveCall& call, const SumCall& sum, const RankParts& parts, const Place& data,
                  const Place& out);
/// Every rank's `own` part arrives in every rank's `data`. `own` may be that part of `data`.
void gather_parts(const CollectiveCall& call, const RankParts& parts, const Place& own, const Place& data);
/// `data` of the rank `root` of the group arrives in the others'.
void broadcast_bytes(const CollectiveCall& call, const Place& data, uint64_t bytes, int32_t root);
/// Part i of rank j's `in` becomes part j of rank i's `out`, `part_bytes` each.
void exchange_parts(const CollectiveCall& call, const Place& in, const Place& out, uint64_t part_bytes);
void send_bytes(const CollectiveCall& call, const Place& data, uint64_t bytes, int32_t destination);
void receive_bytes(const CollectiveCall& call, const Place& data, uint64_t bytes, int32_t source);

}  // namespace ftrun
