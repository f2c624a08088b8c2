// A host table for kernel and device tests: log and fail are recorded, parallel_for runs on plain threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ftrun/host.h"

namespace ftrun::test {

/// Owns the table; `host()` stays valid while this object lives.
class TestHost {
 public:
  explicit TestHost(int32_t threads = 1) : threads_(threads) {
    host_.head = {sizeof(ftrun_host), FTRUN_HOST_TAG};
    host_.self = this;
    host_.log = [](const ftrun_host* host, ftrun_log_level, ftrun_str message) {
      self(host).log_.append(message.data, message.size).append("\n");
    };
    host_.fail = [](const ftrun_host* host, ftrun_status code, ftrun_str message) {
      self(host).error_.assign(message.data, message.size);
      return code;
    };
    host_.parallel_for = [](const ftrun_host* host, int64_t count, ftrun_task task, void* argument) {
      self(host).run(count, task, argument);
    };
    host_.thread_count = [](const ftrun_host* host) { return self(host).threads_; };
    host_.thread_index = [](const ftrun_host*) { return thread_index_; };
  }

  const ftrun_host* host() const { return &host_; }
  const std::string& error() const { return error_; }
  const std::string& log() const { return log_; }
  void set_options(const ftrun_option_api* api) { host_.option = api; }

 private:
  static TestHost& self(const ftrun_host* host) {
    return *const_cast<TestHost*>(static_cast<const TestHost*>(host->self));
  }
  void run(int64_t count, ftrun_task task, void* argument) const {
    std::atomic<int64_t> next{0};
    const auto work = [&](int32_t index) {
      thread_index_ = index;
      for (int64_t i = next++; i < count; i = next++) task(argument, i);
      thread_index_ = 0;
    };
    std::vector<std::thread> workers;
    for (int32_t i = 1; i < threads_; ++i) workers.emplace_back(work, i);
    work(0);
    for (std::thread& worker : workers) worker.join();
  }

  int32_t threads_;
  ftrun_host host_{};
  std::string error_, log_;
  static inline thread_local int32_t thread_index_ = 0;
};

}  // namespace ftrun::test
