// oneTBB arenas, one per calling rank thread; plain threads under the thread sanitizer, which does not know TBB's
// futexes.
#include "core/parallel/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>

#if defined(FTRUN_SANITIZER) && FTRUN_SANITIZER == 2
#include "core/parallel/plain_thread_pool.h"
#else
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include <memory>
#endif

namespace ftrun {
namespace {

std::atomic<int32_t> threads_per_rank = 0;  // 0: not configured
thread_local int32_t index_of_this_thread = 0;
thread_local int32_t task_depth = 0;

// Those that launchers and control groups left to this process, which may be fewer than the machine has.
int32_t usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1, static_cast<int32_t>(std::thread::hardware_concurrency()));
}

int32_t configured_count() noexcept {
  const int32_t count = threads_per_rank.load(std::memory_order_relaxed);
  return count > 0 ? count : usable_cores();
}

struct TaskScope {
  explicit TaskScope(int32_t index) noexcept : former_index(index_of_this_thread) {
    index_of_this_thread = index;
    ++task_depth;
  }
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope() {
    index_of_this_thread = former_index;
    --task_depth;
  }
  int32_t former_index;
};

void run_inline(int64_t count, ftrun_task task, void* argument) noexcept {
  const TaskScope scope(index_of_this_thread);
  for (int64_t i = 0; i < count; ++i) task(argument, i);
}

}  // namespace

int32_t thread_index() noexcept { return index_of_this_thread; }

#if defined(FTRUN_SANITIZER) && FTRUN_SANITIZER == 2

void configure_threads(int32_t threads, int32_t ranks) {
  threads_per_rank = std::max(1, (threads > 0 ? threads : usable_cores()) / std::max(1, ranks));
}

int32_t thread_count() noexcept { return InlineParallelWork::active() ? 1 : configured_count(); }

void parallel_for(int64_t count, ftrun_task task, void* argument) noexcept {
  if (count <= 1 || task_depth > 0 || thread_count() == 1) return run_inline(count, task, argument);
  thread_local PlainThreadPool pool(configured_count());
  pool.run(count, [task, argument](int64_t i, int32_t thread) {
    const TaskScope scope(thread);
    task(argument, i);
  });
}

#else

namespace {

std::unique_ptr<tbb::global_control>& process_limit() {
  static std::unique_ptr<tbb::global_control> limit;
  return limit;
}

// Each rank thread has an arena of its own, so that ranks never steal from each other and thread indices stay small.
struct RankArena {
  RankArena() : threads(configured_count()), arena(threads, 1) {}
  int32_t threads;
  tbb::task_arena arena;
};

// Inside a task the calling rank's arena is the one that the task runs in, not one of the worker's own.
thread_local RankArena* entered_arena = nullptr;

RankArena& arena_of_this_rank() {
  if (entered_arena != nullptr) return *entered_arena;
  thread_local RankArena arena;
  return arena;
}

void run_in_current_arena(RankArena& rank, int64_t count, ftrun_task task, void* argument) {
  const tbb::blocked_range<int64_t> range(0, count, 1);
  tbb::parallel_for(
      range,
      [&rank, task, argument](const tbb::blocked_range<int64_t>& part) {
        RankArena* const former = entered_arena;
        entered_arena = &rank;
        const TaskScope scope(std::max(0, tbb::this_task_arena::current_thread_index()));
        for (int64_t i = part.begin(); i != part.end(); ++i) task(argument, i);
        entered_arena = former;
      },
      tbb::simple_partitioner());
}

}  // namespace

void configure_threads(int32_t threads, int32_t ranks) {
  const int32_t total = threads > 0 ? threads : usable_cores();
  threads_per_rank = std::max(1, total / std::max(1, ranks));
  process_limit() = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                          static_cast<size_t>(std::max(total, ranks)));
}

int32_t thread_count() noexcept {
  if (InlineParallelWork::active()) return 1;
  return entered_arena != nullptr ? entered_arena->threads : arena_of_this_rank().threads;
}

void parallel_for(int64_t count, ftrun_task task, void* argument) noexcept {
  if (InlineParallelWork::active()) return run_inline(count, task, argument);
  RankArena& rank = arena_of_this_rank();
  if (count <= 1 || rank.threads == 1) return run_inline(count, task, argument);
  if (task_depth > 0) {
    // A thread that waits for inner tasks must not pick up an outer one in between: kernels keep per-thread scratch.
    tbb::this_task_arena::isolate([&] { run_in_current_arena(rank, count, task, argument); });
    return;
  }
  rank.arena.execute([&] { run_in_current_arena(rank, count, task, argument); });
}

#endif

}  // namespace ftrun
