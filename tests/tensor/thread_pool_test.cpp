// The pool behind host->parallel_for: every index once, indices of threads in range, nesting.
#include "core/parallel/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

namespace ftrun {
namespace {

/// Runs `body` on a fresh thread, so that it gets an arena of the configured size.
template <class Function>
void with_threads(int32_t threads, Function body) {
  configure_threads(threads);
  std::thread(body).join();
}

struct Visits {
  explicit Visits(size_t count) : counts(count) {}
  std::vector<std::atomic<int32_t>> counts;
  std::atomic<int32_t> bad_indices = 0;
};

void visit(void* argument, int64_t index) {
  auto& visits = *static_cast<Visits*>(argument);
  visits.counts[static_cast<size_t>(index)].fetch_add(1);
  if (thread_index() < 0 || thread_index() >= thread_count()) visits.bad_indices.fetch_add(1);
}

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (const int32_t threads : {1, 2, 4}) {
    with_threads(threads, [threads] {
      EXPECT_EQ(thread_count(), threads);
      for (const int64_t count : {0, 1, 2, 7, 1000}) {
        Visits visits(static_cast<size_t>(count));
        parallel_for(count, visit, &visits);
        for (const auto& visited : visits.counts) EXPECT_EQ(visited.load(), 1);
        EXPECT_EQ(visits.bad_indices.load(), 0);
      }
      EXPECT_EQ(thread_index(), 0);
    });
  }
}

TEST(ThreadPool, NestedCallsFinishInsideTheirTask) {
  with_threads(4, [] {
    struct Outer {
      Visits visits{64 * 32};
      std::atomic<int32_t> incomplete = 0;
    } outer;
    parallel_for(
        64,
        [](void* argument, int64_t task) {
          auto& state = *static_cast<Outer*>(argument);
          struct Inner {
            Outer* outer;
            int64_t first;
          } inner{&state, task * 32};
          const int32_t index_before = thread_index();
          parallel_for(
              32,
              [](void* inner_argument, int64_t i) {
                const auto& part = *static_cast<Inner*>(inner_argument);
                visit(&part.outer->visits, part.first + i);
              },
              &inner);
          if (thread_index() != index_before) state.incomplete.fetch_add(1);
          for (int64_t i = inner.first; i < inner.first + 32; ++i) {
            if (state.visits.counts[static_cast<size_t>(i)].load() != 1) state.incomplete.fetch_add(1);
          }
        },
        &outer);
    EXPECT_EQ(outer.incomplete.load(), 0);
    EXPECT_EQ(outer.visits.bad_indices.load(), 0);
  });
}

TEST(ThreadPool, ScratchByThreadIndexIsNeverShared) {
  with_threads(4, [] {
    struct State {
      std::vector<std::atomic<int32_t>> users = std::vector<std::atomic<int32_t>>(4);
      std::atomic<int32_t> collisions = 0;
    } state;
    parallel_for(
        2000,
        [](void* argument, int64_t) {
          auto& shared = *static_cast<State*>(argument);
          auto& users = shared.users[static_cast<size_t>(thread_index())];
          if (users.fetch_add(1) != 0) shared.collisions.fetch_add(1);
          parallel_for(
              3, [](void*, int64_t) { std::this_thread::yield(); }, nullptr);
          users.fetch_sub(1);
        },
        &state);
    EXPECT_EQ(state.collisions.load(), 0);
  });
}

TEST(ThreadPool, RanksShareTheThreads) {
  configure_threads(4, 2);
  std::vector<std::thread> ranks;
  std::atomic<int64_t> total = 0;
  for (int rank = 0; rank < 2; ++rank) {
    ranks.emplace_back([&total] {
      EXPECT_EQ(thread_count(), 2);
      for (int round = 0; round < 50; ++round) {
        parallel_for(
            20, [](void* argument, int64_t i) { static_cast<std::atomic<int64_t>*>(argument)->fetch_add(i); }, &total);
      }
    });
  }
  for (std::thread& rank : ranks) rank.join();
  EXPECT_EQ(total.load(), 2 * 50 * 190);
}

TEST(ThreadPool, UsesOnlyTheCoresThatThisProcessMay) {
  cpu_set_t all;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(all), &all), 0);
  with_threads(0, [&] { EXPECT_EQ(thread_count(), CPU_COUNT(&all)); });
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core) {
    if (CPU_ISSET(core, &all)) CPU_SET(core, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  with_threads(0, [] { EXPECT_EQ(thread_count(), 1); });
  ASSERT_EQ(::sched_setaffinity(0, sizeof(all), &all), 0);
}

}  // namespace
}  // namespace ftrun
