// The sum over ranks of one piece: slots for what peers sent, and the device's sum_ranks op on them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/collectives/device_lane.h"

namespace ftrun {

/// One rank's sums on one device. reserve and find_op are [rank-thread], the rest runs on whichever thread runs the
/// collective.
class RankSum {
 public:
  RankSum(DeviceLane& lane, int32_t world, uint64_t piece_bytes)
      : lane_(lane), world_(world), piece_bytes_(piece_bytes) {}

  DeviceLane& lane() const noexcept { return lane_; }
  /// Whether slots for parts of `part_bytes` are there.
  bool has_room(uint64_t part_bytes) const { return slot_bytes(part_bytes) <= slot_bytes_; }
  /// Makes room; only while no collective runs.
  void reserve(uint64_t part_bytes);
  /// The op for prepared sums. UNIMPLEMENTED when the device lacks it.
  OpHandle find_op(ftrun_dtype dtype) { return lane_.device().require_op(FTRUN_OP_SUM_RANKS, dtype); }
  /// Where the piece of the group's rank `index` goes.
  Place slot(int32_t index) const { return slots_.place(lane_) + static_cast<uint64_t>(index) * slot_bytes_; }
  /// out = left fold over `inputs` in f32, rounded once to `dtype`; all of `elements`, on the lane's device. `out` may
  /// be one of the inputs. `op` is what find_op returned. Queued on the lane.
  void sum(OpHandle op, std::span<const Place> inputs, const Place& out, int64_t elements, ftrun_dtype dtype) const;

 private:
  uint64_t slot_bytes(uint64_t part_bytes) const { return std::min(part_bytes, piece_bytes_); }

  DeviceLane& lane_;
  int32_t world_;
  uint64_t piece_bytes_;
  uint64_t slot_bytes_ = 0;
  LaneBuffer slots_;  ///< [world][slot_bytes_]
};

}  // namespace ftrun
