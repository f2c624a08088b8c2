// Staging slots, one per peer and direction.
#include "core/collectives/byte_mover.h"

#include "core/base/error.h"

namespace ftrun {

void ByteMover::reserve(uint64_t leg_bytes) {
  slot_bytes_ = 0;  // should memory run out
  const uint64_t bytes = static_cast<uint64_t>(transport_.world()) * slot_bytes(leg_bytes);
  send_staging_.reserve(host_lane_, bytes);
  receive_staging_.reserve(host_lane_, bytes);
  slot_bytes_ = slot_bytes(leg_bytes);
}

void ByteMover::exchange(std::span<const MoveLeg> sends, std::span<const MoveLeg> receives) {
  const std::vector<TransferLeg> out = stage_out(sends);
  const std::vector<TransferLeg> in = stage_in(receives);
  if (out.empty() && in.empty()) return;
  transport_.exchange(out, in);
  size_t leg = 0;
  DeviceLane* waited = nullptr;
  for (const MoveLeg& receive : receives) {
    if (receive.bytes == 0) continue;
    const TransferLeg& arrived = in[leg++];
    if (receive.place.lane->host_accessible()) continue;
    copy_bytes({&host_lane_, arrived.bytes.data()}, receive.place, receive.bytes);
    waited = receive.place.lane;
  }
  // The slots are written again by the next exchange.
  if (waited != nullptr) waited->synchronize();
}

std::vector<TransferLeg> ByteMover::stage_out(std::span<const MoveLeg> sends) {
  std::vector<TransferLeg> legs;
  uint64_t slots = 0;
  DeviceLane* waited = nullptr;
  const std::byte* staged = nullptr;
  for (const MoveLeg& send : sends) {
    if (send.bytes == 0) continue;
    if (send.bytes > piece_bytes_) throw internal_error("a leg of {} bytes, {} at most", send.bytes, piece_bytes_);
    std::byte* data = send.place.address;
    if (!send.place.lane->host_accessible()) {
      const bool repeats = send.place.address == staged;
      if (!repeats) ++slots;
      data = send_staging_.place(host_lane_).address + (slots - 1) * slot_bytes_;
      if (!repeats) copy_bytes(send.place, {&host_lane_, data}, send.bytes);
      staged = send.place.address;
      waited = send.place.lane;
    }
    legs.push_back({send.peer, {data, send.bytes}});
  }
  if (waited != nullptr) waited->synchronize();
  return legs;
}

std::vector<TransferLeg> ByteMover::stage_in(std::span<const MoveLeg> receives) {
  std::vector<TransferLeg> legs;
  uint64_t slots = 0;
  for (const MoveLeg& receive : receives) {
    if (receive.bytes == 0) continue;
    if (receive.bytes > piece_bytes_)
      throw internal_error("a leg of {} bytes, {} at most", receive.bytes, piece_bytes_);
    std::byte* data = receive.place.address;
    if (!receive.place.lane->host_accessible()) {
      data = receive_staging_.place(host_lane_).address + slots++ * slot_bytes_;
    }
    legs.push_back({receive.peer, {data, receive.bytes}});
  }
  return legs;
}

void for_each_piece(uint64_t bytes, uint64_t piece_bytes,
                    const std::function<void(uint64_t begin, uint64_t bytes)>& body) {
  for (uint64_t begin = 0; begin < bytes; begin += piece_bytes) body(begin, std::min(piece_bytes, bytes - begin));
}

}  // namespace ftrun
