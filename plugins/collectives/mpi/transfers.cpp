// Isend, Irecv and Testsome.
#include "transfers.h"

#include <algorithm>

#include "plugins/collectives/byte_transport/transport_table.h"

namespace ftrun::mpi {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kDataTag = 0;
/// That a rank has left may arrive before the last bytes it sent.
constexpr milliseconds kLastBytesGrace{1000};
/// For a cancelled receive that was already under way, and sends that only want a moment.
constexpr milliseconds kCancelGrace{100};

}  // namespace

void Transfers::run(std::span<const ftrun_transfer> sends, std::span<const ftrun_transfer> receives,
                    milliseconds timeout) {
  World::Lock lock(world_);
  check_world(milliseconds(0), timeout);
  try {
    post(receives, true);
    post(sends, false);
    open_ = requests_.size();
    completed_.resize(requests_.size());
    statuses_.resize(requests_.size());
    poll_until_done(lock, timeout);
  } catch (...) {
    cancel(lock);
    throw;
  }
}

void Transfers::post(std::span<const ftrun_transfer> legs, bool is_receive) {
  for (const ftrun_transfer& leg : legs) {
    char* data = static_cast<char*>(leg.data);
    for (uint64_t at = 0; at < leg.bytes; at += message_bytes_) {
      const uint64_t bytes = std::min(message_bytes_, leg.bytes - at);
      messages_.push_back({leg.peer, bytes, is_receive});
      requests_.push_back(MPI_REQUEST_NULL);
      const auto count = static_cast<int>(bytes);
      check_mpi(is_receive
                    ? MPI_Irecv(data + at, count, MPI_BYTE, leg.peer, kDataTag, world_.data(), &requests_.back())
                    : MPI_Isend(data + at, count, MPI_BYTE, leg.peer, kDataTag, world_.data(), &requests_.back()),
                is_receive ? "MPI_Irecv" : "MPI_Isend");
    }
  }
}

void Transfers::poll_until_done(World::Lock& lock, milliseconds timeout) {
  auto last_progress = Clock::now();
  for (int64_t idle = 0; open_ > 0; ++idle) {
    if (test()) {
      idle = 0;
      last_progress = Clock::now();
      continue;
    }
    world_.control().poll();
    check_world(std::chrono::duration_cast<milliseconds>(Clock::now() - last_progress), timeout);
    lock.back_off(idle);
  }
}

bool Transfers::test() {
  int count = 0;
  const int code =
      MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &count, completed_.data(), statuses_.data());
  if (code != MPI_SUCCESS && code != MPI_ERR_IN_STATUS) check_mpi(code, "MPI_Testsome");
  if (count == MPI_UNDEFINED || count == 0) return false;
  open_ -= static_cast<size_t>(count);
  for (int i = 0; i < count; ++i) {
    const Message& message = messages_[static_cast<size_t>(completed_[static_cast<size_t>(i)])];
    MPI_Status& status = statuses_[static_cast<size_t>(i)];
    if (code == MPI_SUCCESS) status.MPI_ERROR = MPI_SUCCESS;
    check_complete(message, status);
  }
  return true;
}

void Transfers::check_complete(const Message& message, const MPI_Status& status) const {
  int error_class = MPI_SUCCESS;
  if (status.MPI_ERROR != MPI_SUCCESS) MPI_Error_class(status.MPI_ERROR, &error_class);
  if (error_class != MPI_ERR_TRUNCATE) check_mpi(status.MPI_ERROR, message.is_receive ? "receiving" : "sending");
  if (!message.is_receive) return;
  int bytes = 0;
  MPI_Get_count(&status, MPI_BYTE, &bytes);
  if (error_class == MPI_SUCCESS && static_cast<uint64_t>(bytes) == message.bytes) return;
  const std::string expected = std::to_string(message.bytes) + " bytes that rank " + std::to_string(world_.rank());
  throw sdk::Error(FTRUN_INTERNAL, "rank " + std::to_string(message.peer) + " sent " +
                                       (error_class == MPI_ERR_TRUNCATE ? "more than" : std::to_string(bytes) + " of") +
                                       " the " + expected + " expected: the ranks are not doing the same");
}

void Transfers::check_world(milliseconds silence, milliseconds timeout) {
  const Control& control = world_.control();
  if (!control.end_message().empty()) throw sdk::Error(FTRUN_ABORTED, control.end_message());
  if (silence <= std::min(timeout, kLastBytesGrace)) return;
  const std::vector<int32_t> peers = open_peers();
  for (const int32_t peer : peers) {
    if (peer != world_.rank() && control.has_left(peer)) {
      throw sdk::Error(FTRUN_ABORTED, "rank " + std::to_string(peer) + " has ended");
    }
  }
  if (silence <= timeout) return;
  throw sdk::Error(FTRUN_DEADLINE_EXCEEDED, byte_transport::silence_text(peers, timeout));
}

void Transfers::cancel(World::Lock& lock) {
  for (size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] != MPI_REQUEST_NULL && messages_[i].is_receive) MPI_Cancel(&requests_[i]);
  }
  const auto until = Clock::now() + kCancelGrace;
  for (int64_t idle = 0; Clock::now() < until; ++idle) {
    int done = 0;
    MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE);
    if (done != 0) return;
    lock.back_off(idle);
  }
  // Sends cannot be cancelled.
  world_.abandon();
}

std::vector<int32_t> Transfers::open_peers() const {
  std::vector<int32_t> peers;
  for (size_t i = 0; i < requests_.size(); ++i) {
    if (requests_[i] != MPI_REQUEST_NULL) peers.push_back(messages_[i].peer);
  }
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

}  // namespace ftrun::mpi
