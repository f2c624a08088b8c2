// Calls through a collectives plugin's table with statuses checked.
// Leaves out: what the bytes mean (byte_mover.cpp, host_values.cpp).
#include "core/collectives/transport.h"

#include <vector>

#include "core/base/error.h"
#include "core/tensor/device.h"

namespace ftrun {
namespace {

std::vector<ftrun_transfer> abi_legs(std::span<const TransferLeg> legs) {
  std::vector<ftrun_transfer> result(legs.size());
  for (size_t i = 0; i < legs.size(); ++i) {
    result[i].head = {sizeof(ftrun_transfer), FTRUN_TRANSFER_TAG};
    result[i].peer = legs[i].peer;
    result[i].data = legs[i].bytes.data();
    result[i].bytes = legs[i].bytes.size();
  }
  return result;
}

}  // namespace

Transport::Transport(const ftrun_collectives& table, const Arguments& arguments) : table_(table) {
  ftrun_transport_open_args args = {};
  args.head = {sizeof(args), FTRUN_TRANSPORT_OPEN_TAG};
  args.host = arguments.host;
  args.options = arguments.options;
  args.rank = arguments.rank;
  args.world = arguments.world;
  args.rendezvous = arguments.rendezvous;
  args.timeout_ms = arguments.timeout_ms;
  check_status(table_.open(&args, &instance_), "collectives: open");
  const ftrun_status status = table_.rank(instance_, &rank_, &world_);
  if (status == FTRUN_OK && rank_ >= 0 && rank_ < world_) return;
  table_.close(instance_);
  check_status(status, "collectives: rank");
  throw internal_error("collectives: rank {} of {}", rank_, world_);
}

Transport::~Transport() { table_.close(instance_); }

void Transport::exchange(std::span<const TransferLeg> sends, std::span<const TransferLeg> receives) {
  const std::vector<ftrun_transfer> out = abi_legs(sends);
  const std::vector<ftrun_transfer> in = abi_legs(receives);
  check_status(table_.exchange(instance_, out.data(), static_cast<int32_t>(out.size()), in.data(),
                               static_cast<int32_t>(in.size())),
               {});
}

void Transport::all_gather(std::span<const std::byte> bytes, std::span<std::byte> out) {
  if (out.size() != bytes.size() * static_cast<size_t>(world_)) {
    throw internal_error("all_gather of {} bytes over {} ranks into {}", bytes.size(), world_, out.size());
  }
  check_status(table_.all_gather_bytes(instance_, bytes.data(), bytes.size(), out.data()), {});
}

void Transport::barrier() { check_status(table_.barrier(instance_), {}); }

void Transport::abort(std::string_view message) noexcept {
  table_.abort(instance_, ftrun_str{message.data(), message.size()});
}

int32_t probe_world(const ftrun_collectives& table, const ftrun_host* host) {
  int32_t world = 0;
  check_status(table.probe(host, &world), "collectives: probe");
  return world;
}

}  // namespace ftrun
