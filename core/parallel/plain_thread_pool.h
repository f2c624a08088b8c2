// A fixed set of std::threads that run one indexed job at a time. Used where the thread sanitizer must see every lock.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ftrun {

/// `threads` workers including the caller of run. One caller.
class PlainThreadPool {
 public:
  using Job = std::function<void(int64_t index, int32_t thread)>;

  explicit PlainThreadPool(int32_t threads) {
    for (int32_t thread = 1; thread < threads; ++thread) {
      workers_.emplace_back([this, thread] { work(thread); });
    }
  }
  PlainThreadPool(const PlainThreadPool&) = delete;
  PlainThreadPool& operator=(const PlainThreadPool&) = delete;
  ~PlainThreadPool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  /// Runs job(i, thread) for i in [0, count) and returns when all are done.
  void run(int64_t count, const Job& job) {
    std::unique_lock lock(mutex_);
    job_ = &job;
    next_ = 0;
    count_ = count;
    unfinished_ = count;
    changed_.notify_all();
    drain(lock, 0);
    finished_.wait(lock, [this] { return unfinished_ == 0; });
    job_ = nullptr;
  }

 private:
  void drain(std::unique_lock<std::mutex>& lock, int32_t thread) {
    while (job_ != nullptr && next_ < count_) {
      const int64_t index = next_++;
      const Job& job = *job_;
      lock.unlock();
      job(index, thread);
      lock.lock();
      if (--unfinished_ == 0) finished_.notify_all();
    }
  }

  void work(int32_t thread) {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      drain(lock, thread);
      changed_.wait(lock, [this] { return stopping_ || (job_ != nullptr && next_ < count_); });
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable finished_;
  std::vector<std::thread> workers_;
  const Job* job_ = nullptr;
  int64_t next_ = 0;
  int64_t count_ = 0;
  int64_t unfinished_ = 0;
  bool stopping_ = false;
};

}  // namespace ftrun
