// Lines under one lock; writing one takes less time than any collective.
#include "core/collectives/operation_board.h"

#include <fmt/format.h>

namespace ftrun {

OperationBoard::OperationBoard(int32_t world)
    : world_(world), entries_(std::make_unique<Entry[]>(static_cast<size_t>(world))) {}

void OperationBoard::enter(int32_t rank) {
  const std::lock_guard lock(mutex_);
  entries_[rank].presence = Presence::kHere;
  entries_[rank].since = std::chrono::steady_clock::now();
}

void OperationBoard::leave(int32_t rank) {
  const std::lock_guard lock(mutex_);
  entries_[rank].presence = Presence::kLeft;
  entries_[rank].since = std::chrono::steady_clock::now();
}

void OperationBoard::set_step(int32_t rank, int64_t step) {
  const std::lock_guard lock(mutex_);
  entries_[rank].step = step;
}

void OperationBoard::set_operation(int32_t rank, std::string_view operation) {
  const std::lock_guard lock(mutex_);
  entries_[rank].operation = operation;
  entries_[rank].since = std::chrono::steady_clock::now();
}

std::string OperationBoard::place(int32_t rank) const {
  const std::lock_guard lock(mutex_);
  return place_of(rank);
}

std::string OperationBoard::line(int32_t rank) const {
  const std::lock_guard lock(mutex_);
  return line_of(rank);
}

std::string OperationBoard::report() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (int32_t rank = 0; rank < world_; ++rank) {
    const Entry& entry = entries_[rank];
    if (entry.presence == Presence::kUnknown) continue;
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - entry.since).count();
    text += fmt::format("{}{} (for {:.1f} s)", text.empty() ? "" : "; ", line_of(rank), seconds);
  }
  return text;
}

bool OperationBoard::is_complete() const {
  const std::lock_guard lock(mutex_);
  for (int32_t rank = 0; rank < world_; ++rank) {
    if (entries_[rank].presence == Presence::kUnknown) return false;
  }
  return true;
}

std::string OperationBoard::place_of(int32_t rank) const {
  const Entry& entry = entries_[rank];
  return entry.step < 0 ? fmt::format("rank {}", rank) : fmt::format("rank {}, step {}", rank, entry.step);
}

std::string OperationBoard::line_of(int32_t rank) const {
  const Entry& entry = entries_[rank];
  const std::string_view doing = entry.presence == Presence::kLeft ? "has ended"
                                 : entry.operation.empty()         ? "in no collective"
                                                                   : std::string_view(entry.operation);
  return fmt::format("{}: {}", place_of(rank), doing);
}

}  // namespace ftrun
