// Each collective as rounds of exchanges. Peers are taken in the order that follows this rank, so that ranks do not all
// turn to the same one.
#include "core/collectives/tensor_collectives.h"

#include <functional>
#include <vector>

namespace ftrun {
namespace {

/// Calls body(index) for the group's other ranks, from the next one on.
template <typename Body>
void for_each_peer(const CommunicatorGroup& group, Body&& body) {
  for (int32_t step = 1; step < group.size(); ++step) body((group.index + step) % group.size());
}

int32_t rank_at(const CommunicatorGroup& group, int32_t index) { return group.ranks[static_cast<size_t>(index)]; }

/// The bytes of [begin, begin + piece) that lie below `size`.
uint64_t clipped(uint64_t begin, uint64_t piece, uint64_t size) {
  return begin >= size ? 0 : std::min(piece, size - begin);
}

}  // namespace

void reduce_parts(const CollectiveCall& call, const SumCall& sum, const RankParts& parts, const Place& data,
                  const Place& out) {
  const CommunicatorGroup& group = call.group;
  const auto bytes_of = [&](int32_t index) { return static_cast<uint64_t>(parts.size(index)) * call.element_bytes; };
  const auto place_of = [&](int32_t index) {
    return data + static_cast<uint64_t>(parts.begin(index)) * call.element_bytes;
  };
  const uint64_t piece = call.mover.piece_bytes();
  for_each_piece(static_cast<uint64_t>(parts.part) * call.element_bytes, piece, [&](uint64_t begin, uint64_t) {
    const uint64_t own = clipped(begin, piece, bytes_of(group.index));
    std::vector<MoveLeg> sends;
    std::vector<MoveLeg> receives;
    for_each_peer(group, [&](int32_t index) {
      sends.push_back({rank_at(group, index), place_of(index) + begin, clipped(begin, piece, bytes_of(index))});
      receives.push_back({rank_at(group, index), sum.sum.slot(index), own});
    });
    call.mover.exchange(sends, receives);
    if (own == 0) return;
    std::vector<Place> inputs;
    for (int32_t index = 0; index < group.size(); ++index) inputs.push_back(sum.sum.slot(index));
    const Place mine = place_of(group.index) + begin;
    Place& input = inputs[static_cast<size_t>(group.index)];
    if (&mine.lane->device() == &out.lane->device()) {
      input = mine;
    } else {
      copy_bytes(mine, input, own);
      mine.lane->synchronize();
    }
    sum.sum.sum(sum.op, inputs, out + begin, static_cast<int64_t>(own / call.element_bytes), sum.dtype);
    // The slots are written again by the next exchange.
    sum.sum.lane().synchronize();
  });
}

void gather_parts(const CollectiveCall& call, const RankParts& parts, const Place& own, const Place& data) {
  const CommunicatorGroup& group = call.group;
  const auto bytes_of = [&](int32_t index) { return static_cast<uint64_t>(parts.size(index)) * call.element_bytes; };
  const auto place_of = [&](int32_t index) {
    return data + static_cast<uint64_t>(parts.begin(index)) * call.element_bytes;
  };
  const uint64_t piece = call.mover.piece_bytes();
  copy_bytes(own, place_of(group.index), bytes_of(group.index));
  for_each_piece(static_cast<uint64_t>(parts.part) * call.element_bytes, piece, [&](uint64_t begin, uint64_t) {
    std::vector<MoveLeg> sends;
    std::vector<MoveLeg> receives;
    for_each_peer(group, [&](int32_t index) {
      sends.push_back({rank_at(group, index), own + begin, clipped(begin, piece, bytes_of(group.index))});
      receives.push_back({rank_at(group, index), place_of(index) + begin, clipped(begin, piece, bytes_of(index))});
    });
    call.mover.exchange(sends, receives);
  });
}

void broadcast_bytes(const CollectiveCall& call, const Place& data, uint64_t bytes, int32_t root) {
  if (call.group.index != root) return receive_bytes(call, data, bytes, root);
  for_each_piece(bytes, call.mover.piece_bytes(), [&](uint64_t begin, uint64_t piece) {
    std::vector<MoveLeg> sends;
    for_each_peer(call.group, [&](int32_t index) {
      sends.push_back({rank_at(call.group, index), data + begin, piece});
    });
    call.mover.exchange(sends, {});
  });
}

void exchange_parts(const CollectiveCall& call, const Place& in, const Place& out, uint64_t part_bytes) {
  const CommunicatorGroup& group = call.group;
  const auto offset = [&](int32_t index) { return static_cast<uint64_t>(index) * part_bytes; };
  copy_bytes(in + offset(group.index), out + offset(group.index), part_bytes);
  for_each_piece(part_bytes, call.mover.piece_bytes(), [&](uint64_t begin, uint64_t piece) {
    std::vector<MoveLeg> sends;
    std::vector<MoveLeg> receives;
    for_each_peer(group, [&](int32_t index) {
      sends.push_back({rank_at(group, index), in + offset(index) + begin, piece});
      receives.push_back({rank_at(group, index), out + offset(index) + begin, piece});
    });
    call.mover.exchange(sends, receives);
  });
}

void send_bytes(const CollectiveCall& call, const Place& data, uint64_t bytes, int32_t destination) {
  for_each_piece(bytes, call.mover.piece_bytes(), [&](uint64_t begin, uint64_t piece) {
    const MoveLeg leg = {rank_at(call.group, destination), data + begin, piece};
    call.mover.exchange({&leg, 1}, {});
  });
}

void receive_bytes(const CollectiveCall& call, const Place& data, uint64_t bytes, int32_t source) {
  for_each_piece(bytes, call.mover.piece_bytes(), [&](uint64_t begin, uint64_t piece) {
    const MoveLeg leg = {rank_at(call.group, source), data + begin, piece};
    call.mover.exchange({}, {&leg, 1});
  });
}

}  // namespace ftrun
