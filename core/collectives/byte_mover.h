// Bytes of device memory from rank to rank: straight where the transport reaches it, through host memory where not.
// Leaves out: reductions (rank_sum.h) and which bytes go where (tensor_collectives.cpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/collectives/device_lane.h"
#include "core/collectives/transport.h"

namespace ftrun {

/// One leg of a move.
struct MoveLeg {
  int32_t peer = 0;  ///< world rank
  Place place;
  uint64_t bytes = 0;
};

/// One rank's mover. exchange runs on whichever thread runs the collective, reserve on the rank thread.
class ByteMover {
 public:
  /// `piece_bytes` per peer are moved at a time: what bounds the staging memory.
  ByteMover(Transport& transport, DeviceLane& host_lane, uint64_t piece_bytes)
      : transport_(transport), host_lane_(host_lane), piece_bytes_(piece_bytes) {}

  Transport& transport() noexcept { return transport_; }
  uint64_t piece_bytes() const noexcept { return piece_bytes_; }
  /// Whether what moves of up to `leg_bytes` per peer to or from `lane` need is there.
  bool has_room(const DeviceLane& lane, uint64_t leg_bytes) const {
    return lane.host_accessible() || slot_bytes(leg_bytes) <= slot_bytes_;
  }
  /// Makes room; only while no collective runs.
  void reserve(uint64_t leg_bytes);
  /// Sends and receives at once; returns when all have arrived. No leg exceeds piece_bytes(); legs of 0 bytes are left
  /// out on both sides. A leg that repeats the place of the one before it is staged once.
  void exchange(std::span<const MoveLeg> sends, std::span<const MoveLeg> receives);

 private:
  uint64_t slot_bytes(uint64_t leg_bytes) const { return std::min(leg_bytes, piece_bytes_); }
  std::vector<TransferLeg> stage_out(std::span<const MoveLeg> sends);
  std::vector<TransferLeg> stage_in(std::span<const MoveLeg> receives);

  Transport& transport_;
  DeviceLane& host_lane_;
  uint64_t piece_bytes_;
  uint64_t slot_bytes_ = 0;
  LaneBuffer send_staging_;     ///< [world][slot_bytes_], host
  LaneBuffer receive_staging_;  ///< [world][slot_bytes_], host
};

/// Calls body(begin, bytes) for the pieces of [0, bytes) in order.
void for_each_piece(uint64_t bytes, uint64_t piece_bytes,
                    const std::function<void(uint64_t begin, uint64_t bytes)>& body);

}  // namespace ftrun
