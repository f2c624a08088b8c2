// One lock, one condition; the lock is free while a job runs.
#include "core/collectives/job_queue.h"

#include <utility>

#include "core/parallel/thread_pool.h"

namespace ftrun {

JobQueue::~JobQueue() {
  {
    std::unique_lock lock(mutex_);
    while (running_ || !jobs_.empty()) {
      if (running_) {
        changed_.wait(lock);
      } else {
        run_front(lock);
      }
    }
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void JobQueue::submit(std::shared_ptr<QueuedJob> job, bool start) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (!start) return;
    started_ = true;
  }
  changed_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
}

void JobQueue::wait(const QueuedJob& job) {
  std::unique_lock lock(mutex_);
  while (!job.done) {
    if (!running_ && !jobs_.empty()) {
      run_front(lock);
    } else {
      changed_.wait(lock);
    }
  }
}

bool JobQueue::is_idle() const {
  const std::lock_guard lock(mutex_);
  return !running_ && jobs_.empty();
}

void JobQueue::work() {
  const InlineParallelWork no_cores_of_its_own;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || (!running_ && started_ && !jobs_.empty()); });
    if (stopping_) return;
    run_front(lock);
  }
}

void JobQueue::run_front(std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<QueuedJob> job = std::move(jobs_.front());
  jobs_.pop_front();
  if (jobs_.empty()) started_ = false;
  running_ = true;
  lock.unlock();
  job->body();
  lock.lock();
  running_ = false;
  job->done = true;
  changed_.notify_all();
}

}  // namespace ftrun
