// One lock per inbox; a sender waits on its own inbox until its parcels are taken.
#include "hub.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "plugins/collectives/byte_transport/transport_table.h"

namespace ftrun::inproc {
namespace {

/// Peers are often only a moment behind, and going to sleep and being woken takes longer than that.
constexpr int kSpins = 200;

void spin_once() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

std::vector<int32_t> peers_of(const std::vector<const ftrun_transfer*>& legs) {
  std::vector<int32_t> peers;
  for (const ftrun_transfer* leg : legs) peers.push_back(leg->peer);
  return peers;
}

}  // namespace

Hub::Hub(int32_t world) {
  for (int32_t rank = 0; rank < world; ++rank) inboxes_.push_back(std::make_unique<Inbox>());
}

template <typename Ready, typename WaitedFor>
void Hub::wait(Inbox& own, std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout, Ready&& ready,
               WaitedFor&& waited_for) {
  bool is_ready = false;
  int32_t gone = -1;
  const auto woken = [&] {
    // Before ready(): a peer leaves after it has done its part.
    gone = -1;
    for (const int32_t peer : waited_for()) {
      if (inbox(peer).has_left.load()) gone = peer;
    }
    is_ready = ready();
    return is_ready || gone >= 0 || ended_.load();
  };
  for (int spin = 0; spin < kSpins && !is_ready && !ended_.load(); ++spin) {
    is_ready = ready();
    lock.unlock();
    spin_once();
    lock.lock();
  }
  const bool came = is_ready || own.changed.wait_for(lock, timeout, woken);
  // What arrived before the end is still good.
  if (is_ready) return;
  if (ended_.load()) throw sdk::Error(FTRUN_ABORTED, end_message());
  if (came) throw sdk::Error(FTRUN_ABORTED, "rank " + std::to_string(gone) + " has ended");
  throw sdk::Error(FTRUN_DEADLINE_EXCEEDED, byte_transport::silence_text(waited_for(), timeout));
}

void Hub::join(int32_t rank, std::chrono::milliseconds timeout) {
  if (inbox(rank).is_here.exchange(true)) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "inproc: rank " + std::to_string(rank) + " is already taken");
  }
  wake_all();
  std::vector<int32_t> absent;
  const auto all_are_here = [&] {
    absent.clear();
    for (int32_t other = 0; other < world(); ++other) {
      if (!inbox(other).is_here.load()) absent.push_back(other);
    }
    return absent.empty();
  };
  std::unique_lock lock(inbox(rank).mutex);
  wait(inbox(rank), lock, timeout, all_are_here, [&]() -> const std::vector<int32_t>& { return absent; });
}

void Hub::leave(int32_t rank) {
  inbox(rank).has_left.store(true);
  wake_all();
}

void Hub::wake_all() {
  for (const auto& each : inboxes_) {
    // Taking the lock orders this with a waiter between its check and its sleep.
    const std::lock_guard lock(each->mutex);
    each->changed.notify_all();
  }
}

void Hub::end(std::string message) {
  {
    const std::lock_guard lock(end_mutex_);
    if (ended_.load()) return;
    end_message_ = std::move(message);
    ended_.store(true);
  }
  wake_all();
}

std::string Hub::end_message() {
  const std::lock_guard lock(end_mutex_);
  return end_message_;
}

void Hub::exchange(int32_t rank, std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives,
                   std::chrono::milliseconds timeout) {
  if (ended_.load()) throw sdk::Error(FTRUN_ABORTED, end_message());
  std::vector<Parcel> parcels;
  for (const ftrun_transfer& send : sends) parcels.push_back({rank, send.peer, send.data, send.bytes});
  try {
    post(parcels);
    take_all(rank, receives, timeout);
    wait_taken(rank, parcels, timeout);
  } catch (...) {
    withdraw(rank, parcels);
    throw;
  }
}

void Hub::post(std::span<Parcel> parcels) {
  for (Parcel& parcel : parcels) {
    Inbox& target = inbox(parcel.target);
    const std::lock_guard lock(target.mutex);
    target.parcels.push_back(&parcel);
    target.changed.notify_all();
  }
}

void Hub::take_all(int32_t rank, std::span<const ftrun_transfer> receives, std::chrono::milliseconds timeout) {
  Inbox& own = inbox(rank);
  std::vector<const ftrun_transfer*> open;
  for (const ftrun_transfer& receive : receives) open.push_back(&receive);
  while (!open.empty()) {
    Parcel* parcel = nullptr;
    const ftrun_transfer* receive = nullptr;
    // The first parcel of any sender that is waited for; per sender, legs and parcels pair in order.
    const auto take = [&] {
      for (auto at = own.parcels.begin(); at != own.parcels.end(); ++at) {
        const auto leg = std::ranges::find(open, (*at)->source, &ftrun_transfer::peer);
        if (leg == open.end()) continue;
        parcel = *at;
        receive = *leg;
        own.parcels.erase(at);
        open.erase(leg);
        return true;
      }
      return false;
    };
    {
      std::unique_lock lock(own.mutex);
      wait(
          own, lock, timeout, [&] { return parcel != nullptr || take(); }, [&] { return peers_of(open); });
    }
    copy(*parcel, *receive, rank);
  }
}

void Hub::copy(Parcel& parcel, const ftrun_transfer& receive, int32_t rank) {
  const int32_t source = parcel.source;
  const uint64_t bytes = parcel.bytes;
  if (bytes == receive.bytes) std::memcpy(receive.data, parcel.data, bytes);
  {
    // From here on the parcel is the sender's again.
    Inbox& sender = inbox(source);
    const std::lock_guard lock(sender.mutex);
    parcel.taken = true;
    sender.changed.notify_all();
  }
  if (bytes == receive.bytes) return;
  throw sdk::Error(FTRUN_INTERNAL, "rank " + std::to_string(source) + " sent " + std::to_string(bytes) +
                                       " bytes where rank " + std::to_string(rank) + " expected " +
                                       std::to_string(receive.bytes) + ": the ranks are not doing the same");
}

void Hub::wait_taken(int32_t rank, std::span<const Parcel> parcels, std::chrono::milliseconds timeout) {
  Inbox& own = inbox(rank);
  std::unique_lock lock(own.mutex);
  const auto open = [&] {
    std::vector<int32_t> peers;
    for (const Parcel& parcel : parcels) {
      if (!parcel.taken) peers.push_back(parcel.target);
    }
    return peers;
  };
  // Each wait ends with a parcel taken, so that its time is that of a peer's silence.
  for (size_t before = open().size(); before > 0; before = open().size()) {
    wait(
        own, lock, timeout, [&] { return open().size() < before; }, open);
  }
}

void Hub::withdraw(int32_t rank, std::span<Parcel> parcels) {
  Inbox& own = inbox(rank);
  for (Parcel& parcel : parcels) {
    size_t erased = 0;
    {
      Inbox& target = inbox(parcel.target);
      const std::lock_guard lock(target.mutex);
      erased = std::erase(target.parcels, &parcel);
    }
    const std::lock_guard lock(own.mutex);
    parcel.taken = parcel.taken || erased > 0;
  }
  // A receiver in the middle of its copy ends it soon.
  std::unique_lock lock(own.mutex);
  own.changed.wait(lock, [&] { return std::ranges::all_of(parcels, &Parcel::taken); });
}

}  // namespace ftrun::inproc
