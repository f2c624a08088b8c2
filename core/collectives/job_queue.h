// The order of one rank's collectives: a queue that a thread of its own works off, or whoever waits.
// Leaves out: what a job does (communicator.cpp).
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "ftrun/status.h"

namespace ftrun {

/// One queued operation. `body` runs once, on the communication thread or on the rank's; the rest is the queue's.
struct QueuedJob {
  std::function<void()> body;  ///< must not throw
  bool done = false;           ///< guarded by the queue's lock
};

/// Runs jobs one at a time in the order of submission. submit and wait are [rank-thread].
class JobQueue {
 public:
  JobQueue() = default;
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;
  /// Jobs that are still queued run first.
  ~JobQueue();

  /// With `start` the communication thread begins it as soon as it can; otherwise it begins when somebody waits or a
  /// later job is started.
  void submit(std::shared_ptr<QueuedJob> job, bool start);
  /// Returns when `job` is done. Runs what is in front of it, and it, on this thread when nobody else does.
  void wait(const QueuedJob& job);
  bool is_idle() const;

 private:
  void work();
  void run_front(std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<QueuedJob>> jobs_;
  bool running_ = false;  ///< somebody runs a job
  bool started_ = false;  ///< the thread may take jobs
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ftrun
