// Probing for, receiving and sending control messages.
#include "control.h"

#include <algorithm>

namespace ftrun::mpi {
namespace {

/// Below every transport's limit for messages that are sent whether or not the other side listens.
constexpr size_t kMostBytes = 2000;

}  // namespace

Control::Control(MPI_Comm comm, int32_t rank, int32_t size)
    : comm_(comm), rank_(rank), left_(static_cast<size_t>(size)), gone_(static_cast<size_t>(size)) {
  left_[static_cast<size_t>(rank)] = true;
  gone_[static_cast<size_t>(rank)] = true;
}

void Control::send(Tag tag, const std::string& text) {
  Sending& sending = sending_.emplace_back();
  sending.text = text.size() <= kMostBytes ? text : text.substr(0, kMostBytes - 3) + "...";
  sending.requests.reserve(left_.size());
  for (int32_t peer = 0; peer < static_cast<int32_t>(left_.size()); ++peer) {
    if (peer == rank_) continue;
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Isend(sending.text.data(), static_cast<int>(sending.text.size()), MPI_CHAR, peer, tag, comm_, &request);
    sending.requests.push_back(request);
  }
}

void Control::poll() {
  for (Sending& sending : sending_) {
    int done = 0;
    MPI_Testall(static_cast<int>(sending.requests.size()), sending.requests.data(), &done, MPI_STATUSES_IGNORE);
  }
  while (true) {
    int found = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, comm_, &found, &status) != MPI_SUCCESS || found == 0) return;
    take(status);
  }
}

void Control::take(const MPI_Status& status) {
  int bytes = 0;
  MPI_Get_count(&status, MPI_CHAR, &bytes);
  std::string text(static_cast<size_t>(std::max(bytes, 0)), '\0');
  MPI_Recv(text.data(), bytes, MPI_CHAR, status.MPI_SOURCE, status.MPI_TAG, comm_, MPI_STATUS_IGNORE);
  const auto source = static_cast<size_t>(status.MPI_SOURCE);
  if (status.MPI_TAG == kEnd) set_end_message(text);
  if (status.MPI_TAG == kLeft) left_[source] = true;
  if (status.MPI_TAG == kGone) gone_[source] = true;
}

void Control::set_end_message(const std::string& message) {
  if (end_message_.empty()) end_message_ = message.empty() ? "a rank failed" : message;
}

bool Control::all_left() const {
  return std::all_of(left_.begin(), left_.end(), [](bool left) { return left; });
}

bool Control::all_gone() const {
  return std::all_of(gone_.begin(), gone_.end(), [](bool gone) { return gone; });
}

}  // namespace ftrun::mpi
