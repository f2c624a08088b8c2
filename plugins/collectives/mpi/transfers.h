// One exchange: sends and receives in flight at once, polled so that time limits and failures of others are noticed.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "ftrun/kinds/collectives.h"
#include "world.h"

namespace ftrun::mpi {

/// Requests of one exchange. The buffers may be reused once run has returned; after it has thrown, once the world was
/// ended.
class Transfers {
 public:
  /// Messages longer than `message_bytes` are split.
  Transfers(World& world, uint64_t message_bytes) : world_(world), message_bytes_(message_bytes) {}

  /// Throws ABORTED with the failing rank's message, DEADLINE_EXCEEDED naming the ranks that were silent for `timeout`.
  void run(std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives,
           std::chrono::milliseconds timeout);

 private:
  struct Message {
    int32_t peer = 0;
    uint64_t bytes = 0;
    bool is_receive = false;
  };
  void post(std::span<const ftrun_transfer> legs, bool is_receive);
  void poll_until_done(World::Lock& lock, std::chrono::milliseconds timeout);
  /// Whether anything completed.
  bool test();
  void check_complete(const Message& message, const MPI_Status& status) const;
  void check_world(std::chrono::milliseconds silence, std::chrono::milliseconds timeout);
  void cancel(World::Lock& lock);
  std::vector<int32_t> open_peers() const;

  World& world_;
  uint64_t message_bytes_;
  std::vector<Message> messages_;
  std::vector<MPI_Request> requests_;  ///< of each message; MPI_REQUEST_NULL when complete
  std::vector<int> completed_;
  std::vector<MPI_Status> statuses_;
  size_t open_ = 0;
};

}  // namespace ftrun::mpi
