// Where the ranks of one process meet: an inbox per rank, into which senders put the addresses of what they send.
// Leaves out: the plugin's table (inproc.cpp).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "ftrun/kinds/collectives.h"

namespace ftrun::inproc {

/// Shared by the ranks of one world. [any-thread], each rank's calls one at a time.
class Hub {
 public:
  explicit Hub(int32_t world);
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  int32_t world() const noexcept { return static_cast<int32_t>(inboxes_.size()); }

  /// Counts this rank in and waits for the others. DEADLINE_EXCEEDED names those that have not come.
  void join(int32_t rank, std::chrono::milliseconds timeout);
  /// This rank takes part no longer: whoever waits for it gets ABORTED.
  void leave(int32_t rank);
  /// Bytes go straight from the sender's memory to the receiver's, copied by the receiver. Transfers between two ranks
  /// arrive in the order sent. After a failure no rank touches the memory any more.
  void exchange(int32_t rank, std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives,
                std::chrono::milliseconds timeout);
  /// Ends every pending and future call with ABORTED; the first message stays.
  void end(std::string message);

 private:
  /// Something sent and not yet taken. Lives in the sender's exchange.
  struct Parcel {
    int32_t source = 0;
    int32_t target = 0;
    const void* data = nullptr;
    uint64_t bytes = 0;
    bool taken = false;  ///< copied, or refused; guarded by the sender's inbox
  };
  struct Inbox {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Parcel*> parcels;  ///< sent to this rank
    std::atomic<bool> is_here = false;
    std::atomic<bool> has_left = false;
  };

  void post(std::span<Parcel> parcels);
  void take_all(int32_t rank, std::span<const ftrun_transfer> receives, std::chrono::milliseconds timeout);
  void wait_taken(int32_t rank, std::span<const Parcel> parcels, std::chrono::milliseconds timeout);
  void withdraw(int32_t rank, std::span<Parcel> parcels);
  void copy(Parcel& parcel, const ftrun_transfer& receive, int32_t rank);
  /// Waits on the inbox until `ready()`; throws ABORTED, also when a rank of `waited_for()` has left, or
  /// DEADLINE_EXCEEDED naming them.
  template <typename Ready, typename WaitedFor>
  void wait(Inbox& inbox, std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout, Ready&& ready,
            WaitedFor&& waited_for);
  Inbox& inbox(int32_t rank) { return *inboxes_[static_cast<size_t>(rank)]; }
  void wake_all();
  std::string end_message();

  std::vector<std::unique_ptr<Inbox>> inboxes_;
  std::atomic<bool> ended_ = false;
  std::mutex end_mutex_;
  std::string end_message_;  ///< guarded by end_mutex_
};

}  // namespace ftrun::inproc
