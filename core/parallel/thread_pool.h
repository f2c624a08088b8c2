// The process-wide thread pool behind host->parallel_for.
// Leaves out: collectives and any work of its own.
#pragma once

#include <cstdint>

#include "ftrun/host.h"

namespace ftrun {

/// Threads of the whole process, shared evenly by `ranks` in-process ranks (each gets at least one). threads <= 0: one
/// per usable core. Before the first parallel_for or between them; later calls apply to threads that have not called
/// yet. [control-thread]
void configure_threads(int32_t threads, int32_t ranks = 1);

/// Threads that parallel_for uses at most for the calling rank, >= 1. [any-thread]
int32_t thread_count() noexcept;

/// Index in [0, thread_count()) inside a task, 0 outside. [any-thread]
int32_t thread_index() noexcept;

/// Runs task(argument, i) for every i in [0, count), returns when all are done. Tasks must not throw. May be nested:
/// inner tasks run on the same threads, and a thread waiting for inner tasks takes up no outer one. [any-thread]
void parallel_for(int64_t count, ftrun_task task, void* argument) noexcept;

/// While one exists, parallel_for calls of this thread made through the host table return without running a task: what
/// plugins compute stays undefined, what they allocate is as always. Not inside a task. [any-thread]
class SkipParallelWork {
 public:
  SkipParallelWork() noexcept : former_(skipped_) { skipped_ = true; }
  SkipParallelWork(const SkipParallelWork&) = delete;
  SkipParallelWork& operator=(const SkipParallelWork&) = delete;
  ~SkipParallelWork() { skipped_ = former_; }
  static bool active() noexcept { return skipped_; }

 private:
  bool former_;
  inline static thread_local bool skipped_ = false;
};

/// While one exists, parallel_for runs every task on this thread, and thread_count() is 1 here: for threads beside the
/// ranks' own, which must not take cores away from them. [any-thread]
class InlineParallelWork {
 public:
  InlineParallelWork() noexcept : former_(inline_) { inline_ = true; }
  InlineParallelWork(const InlineParallelWork&) = delete;
  InlineParallelWork& operator=(const InlineParallelWork&) = delete;
  ~InlineParallelWork() { inline_ = former_; }
  static bool active() noexcept { return inline_; }

 private:
  bool former_;
  inline static thread_local bool inline_ = false;
};

}  // namespace ftrun
