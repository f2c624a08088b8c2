// The sum over ranks of one piece: slots for what peers sent, and the device's sum_ranks op on them.
#pragma once

#include <cstdint>
#include <span>

#include "core/collectives/device_lane.h"

namespace ftrun {

/// One rank's sums on one device. prepare is [rank-thread], the rest runs on whichever thread runs the collective.
class RankSum {
 public:
  RankSum(DeviceLane& lane, int32_t world, uint64_t piece_bytes)
      : lane_(lane), world_(world), piece_bytes_(piece_bytes) {}

  DeviceLane& lane() const noexcept { return lane_; }
  /// Allocates the slots and finds the op. UNIMPLEMENTED when the device lacks it.
  OpHandle prepare(ftrun_dtype dtype);
  /// Where the piece of the group's rank `index` goes.
  Place slot(int32_t index) const { return slots_.place(lane_) + static_cast<uint64_t>(index) * piece_bytes_; }
  /// out = left fold over `inputs` in f32, rounded once to `dtype`; all of `elements`, on the lane's device. `out` may
  /// be one of the inputs. `op` is what prepare returned. Queued on the lane.
  void sum(OpHandle op, std::span<const Place> inputs, const Place& out, int64_t elements, ftrun_dtype dtype) const;

 private:
  DeviceLane& lane_;
  int32_t world_;
  uint64_t piece_bytes_;
  LaneBuffer slots_;  ///< [world][piece_bytes]
};

}  // namespace ftrun
