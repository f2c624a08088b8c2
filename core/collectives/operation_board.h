// What each rank of a process is doing now, readable by all: for messages about ranks that wait for each other.
// Leaves out: ranks of other processes, whose lines stay empty.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace ftrun {

/// One line per rank. Ranks of one process share a board. [any-thread]
class OperationBoard {
 public:
  explicit OperationBoard(int32_t world);
  OperationBoard(const OperationBoard&) = delete;
  OperationBoard& operator=(const OperationBoard&) = delete;

  int32_t world() const noexcept { return world_; }
  void enter(int32_t rank);
  void leave(int32_t rank);
  /// < 0: outside of the steps.
  void set_step(int32_t rank, int64_t step);
  /// The collective that the rank runs now; "": none.
  void set_operation(int32_t rank, std::string_view operation);

  /// "rank 1, step 12".
  std::string place(int32_t rank) const;
  /// "rank 1, step 12: all_gather of 1,048,576 bf16".
  std::string line(int32_t rank) const;
  /// Every known rank's line with the seconds it has been so, separated by "; ".
  std::string report() const;
  /// Whether every rank has entered this board, so that report() tells of all.
  bool is_complete() const;

 private:
  enum class Presence { kUnknown, kHere, kLeft };
  struct Entry {
    Presence presence = Presence::kUnknown;
    int64_t step = -1;
    std::string operation;
    std::chrono::steady_clock::time_point since;
  };
  std::string place_of(int32_t rank) const;
  std::string line_of(int32_t rank) const;

  int32_t world_;
  mutable std::mutex mutex_;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace ftrun
