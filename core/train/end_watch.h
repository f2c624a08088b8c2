// Ends a process that a launcher is about to kill, after saying what it was doing.
// Leaves out: stopping with a checkpoint (stop_request.h).
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/collectives/communicator.h"

namespace ftrun {

/// While alive: within a tenth of a second after end_requested() one line on stderr names the signal and the rank's
/// current operation, and the process ends with exit code 1. Nothing is saved, and nothing incomplete stands under a
/// final name. The communicator outlives it. [rank-thread]
class EndWatch {
 public:
  explicit EndWatch(const Communicator& communicator);
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;
  ~EndWatch();

 private:
  void watch();

  const Communicator& communicator_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace ftrun
