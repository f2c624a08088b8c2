// A collectives plugin's instance as the host uses it: bytes between ranks, statuses turned into Error.
// Leaves out: tensors and reductions (communicator.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "ftrun/kinds/collectives.h"

namespace ftrun {

/// One leg of an exchange.
struct TransferLeg {
  int32_t peer = 0;  ///< world rank
  std::span<std::byte> bytes;
};

/// One opened transport; closes it when destroyed. One thread at a time, but abort ([any-thread]).
class Transport {
 public:
  struct Arguments {
    const ftrun_host* host = nullptr;
    const ftrun_options* options = nullptr;
    int32_t rank = -1;  ///< -1: the transport knows
    int32_t world = -1;
    const void* rendezvous = nullptr;  ///< the same on all in-process ranks
    int64_t timeout_ms = 1'800'000;
  };
  /// `table` is complete and outlives this object. Blocks until all ranks have opened.
  Transport(const ftrun_collectives& table, const Arguments& arguments);
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  ~Transport();

  int32_t rank() const noexcept { return rank_; }
  int32_t world() const noexcept { return world_; }
  /// Sends and receives at once; sizes agree on both sides.
  void exchange(std::span<const TransferLeg> sends, std::span<const TransferLeg> receives);
  /// out[world * bytes.size()] in rank order.
  void all_gather(std::span<const std::byte> bytes, std::span<std::byte> out);
  void barrier();
  /// [any-thread]
  void abort(std::string_view message) noexcept;

 private:
  const ftrun_collectives& table_;
  void* instance_ = nullptr;
  int32_t rank_ = 0;
  int32_t world_ = 1;
};

/// World size that this process already takes part in (an mpirun world), 0: none.
int32_t probe_world(const ftrun_collectives& table, const ftrun_host* host);

}  // namespace ftrun
