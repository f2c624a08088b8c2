// Ranks that fail, fall silent, leave early or do something else than their peers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <thread>

#include "core/base/error.h"
#include "tests/collectives/collective_cases.h"

namespace ftrun::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void all_reduce(TeamRank& rank, int64_t elements, CollectiveStart start = CollectiveStart::kSoon) {
  Communicator& comm = rank.communicator;
  const Tensor data = made_up_tensor(rank, FTRUN_F32, elements, FTRUN_PLACEMENT_DEVICE);
  comm.wait(rank.ctx, comm.all_reduce(rank.ctx, comm.world_group(), data, start));
}

TEST(Failures, PeersOfAFailingRankEndWithItsMessage) {
  for (const CollectiveStart start : {CollectiveStart::kSoon, CollectiveStart::kAtWait}) {
    const auto begin = Clock::now();
    const auto failures = run_team(4, {}, [&](TeamRank& rank) {
      rank.communicator.set_step(12);
      all_reduce(rank, 100, start);
      if (rank.communicator.rank() == 2) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        throw resource_exhausted("the device is full");
      }
      all_reduce(rank, 1'000, start);
    });
    EXPECT_LT(seconds_since(begin), 5.0);
    EXPECT_EQ(failures[2].message, "the device is full");
    for (const int32_t rank : {0, 1, 3}) {
      const TeamFailure& failure = failures[static_cast<size_t>(rank)];
      EXPECT_EQ(failure.code, FTRUN_ABORTED);
      EXPECT_EQ(failure.message, fmt::format("rank {}, step 12: all_reduce of 1,000 f32: aborted: rank 2, step 12: the "
                                             "device is full",
                                             rank));
    }
  }
}

TEST(Failures, AWorkThatNobodyWaitsForDoesNotHoldUpAFailingRank) {
  const auto begin = Clock::now();
  const auto failures = run_team(3, {}, [&](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    const Tensor data = made_up_tensor(rank, FTRUN_F32, 1'000, FTRUN_PLACEMENT_DEVICE);
    const Tensor other = made_up_tensor(rank, FTRUN_F32, 1'000, FTRUN_PLACEMENT_DEVICE);
    auto first = comm.all_reduce(rank.ctx, comm.world_group(), data);
    if (comm.rank() == 0) throw invalid_argument("bad row");
    comm.wait(rank.ctx, std::move(first));
    comm.wait(rank.ctx, comm.all_reduce(rank.ctx, comm.world_group(), other));
  });
  EXPECT_LT(seconds_since(begin), 5.0);
  EXPECT_EQ(failures[0].message, "bad row");
  for (const size_t rank : {1, 2}) EXPECT_THAT(failures[rank].message, HasSubstr("aborted: rank 0: bad row"));
}

TEST(Failures, ASilentRankIsReportedWithWhatEveryRankDoes) {
  TeamOptions options;
  options.timeout_ms = 300;
  std::latch reported(2);
  const auto begin = Clock::now();
  const auto failures = run_team(3, options, [&](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    comm.set_step(comm.rank() == 2 ? 6 : 7);
    if (comm.rank() == 2) {
      reported.wait();
      all_reduce(rank, 4'096);
      return;
    }
    try {
      all_reduce(rank, 4'096);
    } catch (const Error&) {
      reported.count_down();
      throw;
    }
  });
  EXPECT_LT(seconds_since(begin), 10.0);
  // Whoever's time was up first names everybody; the others end with its message.
  int deadlines = 0;
  for (const size_t rank : {0, 1}) {
    const std::string& message = failures[rank].message;
    deadlines += failures[rank].code == FTRUN_DEADLINE_EXCEEDED ? 1 : 0;
    EXPECT_THAT(message, StartsWith(fmt::format("rank {}, step 7: all_reduce of 4,096 f32: ", rank)));
    EXPECT_THAT(message, HasSubstr("no answer from rank"));
    EXPECT_THAT(message, HasSubstr("within 0.3 s (collective_timeout_s). What each rank does: "));
    // Both may be late at once, and one of them already be leaving when the other asks.
    EXPECT_THAT(message, testing::AnyOf(HasSubstr("rank 0, step 7: all_reduce of 4,096 f32 (for "),
                                        HasSubstr("rank 0, step 7: has ended (for ")));
    EXPECT_THAT(message, HasSubstr("rank 2, step 6: in no collective (for "));
  }
  EXPECT_GE(deadlines, 1);
  EXPECT_EQ(failures[2].code, FTRUN_ABORTED);
}

TEST(Failures, WhatARankFailedWithStaysItsFailure) {
  TeamOptions options;
  options.timeout_ms = 100;
  const auto failures = run_team(2, options, [&](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    if (comm.rank() == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      return;
    }
    const Tensor data = made_up_tensor(rank, FTRUN_F32, 64, FTRUN_PLACEMENT_DEVICE);
    // Nobody waits for it before the next call, which must tell the cause and not only that there was one.
    auto work = comm.all_reduce(rank.ctx, comm.world_group(), data);
    comm.barrier("the end of the step");
  });
  EXPECT_EQ(failures[0].code, FTRUN_DEADLINE_EXCEEDED);
  EXPECT_THAT(failures[0].message, StartsWith("rank 0: all_reduce of 64 f32: no answer from rank 1 within 0.1 s"));
}

TEST(Failures, ARankThatLeavesEarlyEndsItsPeers) {
  const auto begin = Clock::now();
  const auto failures = run_team(3, {}, [](TeamRank& rank) {
    all_reduce(rank, 10);
    if (rank.communicator.rank() == 1) return;
    all_reduce(rank, 20);
  });
  EXPECT_LT(seconds_since(begin), 5.0);
  EXPECT_EQ(failures[1].message, "");
  for (const size_t rank : {0, 2}) {
    EXPECT_EQ(failures[rank].code, FTRUN_ABORTED);
    EXPECT_THAT(failures[rank].message, HasSubstr("rank 1 has ended"));
  }
}

TEST(Failures, RanksThatDoDifferentThingsAreFoundOut) {
  const auto failures =
      run_team(2, {}, [](TeamRank& rank) { all_reduce(rank, rank.communicator.rank() == 0 ? 16 : 32); });
  for (const TeamFailure& failure : failures)
    EXPECT_THAT(failure.message, HasSubstr("the ranks are not doing the same"));
}

TEST(Failures, AbortWorksFromAnotherThreadAndLasts) {
  const auto failures = run_team(2, {}, [](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    comm.set_step(3);
    if (comm.rank() == 0) {
      std::thread watcher([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        comm.abort("the watchdog bit");
        comm.abort("and again");
      });
      try {
        all_reduce(rank, 10);
      } catch (const Error&) {
      }
      watcher.join();
      EXPECT_THROW(all_reduce(rank, 10), Error);
      EXPECT_THROW(comm.barrier("late"), Error);
      double value = 1;
      comm.sum_host({&value, 1});
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      all_reduce(rank, 10);
    }
  });
  EXPECT_EQ(failures[0].message, "rank 0, step 3: sum of 1 host values: aborted: rank 0, step 3: the watchdog bit");
  EXPECT_EQ(failures[1].message, "rank 1, step 3: all_reduce of 10 f32: aborted: rank 0, step 3: the watchdog bit");
}

TEST(Failures, WhereverARankFailsTheOthersEnd) {
  constexpr int kCalls = 12;
  for (int fails_at = 0; fails_at < kCalls; ++fails_at) {
    const auto begin = Clock::now();
    const auto failures = run_team(3, {}, [&](TeamRank& rank) {
      Communicator& comm = rank.communicator;
      CommunicatorGroup& world = comm.world_group();
      std::vector<Tensor> tensors;
      std::vector<std::unique_ptr<CollectiveWork>> works;
      for (int call = 0; call < kCalls; ++call) {
        if (comm.rank() == fails_at % 3 && call == fails_at) throw invalid_argument("call {}", call);
        const Tensor data = made_up_tensor(rank, FTRUN_BF16, 3'000, FTRUN_PLACEMENT_DEVICE);
        const Tensor slice = data.slice(0, 1'000 * comm.rank(), 1'000 * (comm.rank() + 1));
        tensors.push_back(data);
        if (call % 3 == 0) works.push_back(comm.all_gather(rank.ctx, world, slice, data));
        if (call % 3 == 1) works.push_back(comm.reduce_scatter(rank.ctx, world, data, slice));
        if (call % 3 == 2) comm.wait(rank.ctx, comm.all_reduce(rank.ctx, world, data, CollectiveStart::kAtWait));
        if (works.size() > 2) {
          comm.wait(rank.ctx, std::move(works.front()));
          works.erase(works.begin());
        }
      }
      for (auto& work : works) comm.wait(rank.ctx, std::move(work));
    });
    EXPECT_LT(seconds_since(begin), 5.0);
    const std::string cause = fmt::format("call {}", fails_at);
    for (int32_t rank = 0; rank < 3; ++rank) {
      EXPECT_THAT(failures[static_cast<size_t>(rank)].message, HasSubstr(cause)) << rank;
    }
  }
}

TEST(Failures, ARankThatNeverStartsIsNamed) {
  const auto* table = static_cast<const ftrun_collectives*>(load_plugin("collectives", "inproc")->table);
  const int rendezvous = 0;
  Transport::Arguments arguments;
  arguments.host = team_host();
  arguments.rank = 0;
  arguments.world = 2;
  arguments.rendezvous = &rendezvous;
  arguments.timeout_ms = 100;
  try {
    const Transport transport(*table, arguments);
    ADD_FAILURE() << "opened alone";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), FTRUN_DEADLINE_EXCEEDED);
    EXPECT_THAT(error.what(), HasSubstr("no answer from rank 1 within 0.1 s"));
  }
}

TEST(Failures, CurrentOperationTellsWhatARankWaitsFor) {
  std::latch seen(1);
  run_team_well(2, {}, [&](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    comm.set_step(5);
    EXPECT_EQ(comm.current_operation(), fmt::format("rank {}, step 5: in no collective", comm.rank()));
    if (comm.rank() == 0) {
      const Tensor data = made_up_tensor(rank, FTRUN_BF16, 2'000, FTRUN_PLACEMENT_DEVICE);
      auto work = comm.all_gather(rank.ctx, comm.world_group(), data.slice(0, 0, 1'000), data);
      while (comm.current_operation() != "rank 0, step 5: all_gather of 2,000 bf16") std::this_thread::yield();
      seen.count_down();
      comm.wait(rank.ctx, std::move(work));
    } else {
      seen.wait();
      const Tensor data = made_up_tensor(rank, FTRUN_BF16, 2'000, FTRUN_PLACEMENT_DEVICE);
      comm.wait(rank.ctx, comm.all_gather(rank.ctx, comm.world_group(), data.slice(0, 1'000, 2'000), data));
    }
  });
}

}  // namespace
}  // namespace ftrun::test
