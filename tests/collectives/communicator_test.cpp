// The collectives over ranks that are threads: bits, order, groups, overlap, traffic.
#include "core/collectives/communicator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <thread>

#include "core/base/error.h"
#include "core/parallel/thread_pool.h"
#include "tests/collectives/collective_cases.h"

namespace ftrun::test {
namespace {

struct BitsCase {
  std::string device;
  int32_t world;
};

class EveryCollective : public ::testing::TestWithParam<BitsCase> {};

TEST_P(EveryCollective, IsTheScalarLeftFoldBitByBit) {
  TeamOptions options;
  options.device = GetParam().device;
  options.piece_bytes = 256;  // several pieces even for the short ones
  run_team_well(GetParam().world, options, [](TeamRank& rank) {
    for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) {
      for (const int64_t part : {1, 3, 64, 127, 1025}) {
        for (const Placement placement : {Placement::kDevice, Placement::kHost, Placement::kMixed}) {
          for (const CollectiveStart start : {CollectiveStart::kSoon, CollectiveStart::kAtWait}) {
            run_collectives(rank, rank.communicator.world_group(), {dtype, part, placement, start});
          }
        }
      }
    }
  });
}

std::string name_of(const ::testing::TestParamInfo<BitsCase>& info) {
  return info.param.device + "_world" + std::to_string(info.param.world);
}
INSTANTIATE_TEST_SUITE_P(Worlds, EveryCollective,
                         ::testing::Values(BitsCase{"cpu", 1}, BitsCase{"cpu", 2}, BitsCase{"cpu", 3},
                                           BitsCase{"cpu", 4}, BitsCase{"npu_a2", 2}, BitsCase{"npu_a2", 3}),
                         name_of);

TEST(Communicator, LargeTensorsGiveTheSameBitsEveryTime) {
  TeamOptions pieces;
  pieces.piece_bytes = 65'536;
  std::vector<std::vector<std::byte>> first(4);
  for (int run = 0; run < 2; ++run) {
    run_team_well(4, pieces, [&](TeamRank& rank) {
      const auto index = static_cast<size_t>(rank.communicator.rank());
      const auto bytes = run_collectives(rank, rank.communicator.world_group(), {FTRUN_BF16, 150'001});
      if (run == 0) first[index] = bytes;
      EXPECT_EQ(bytes, first[index]);
    });
  }
}

TEST(Communicator, WorkIsDoneInTheOrderOfItsCalls) {
  run_team_well(3, {}, [](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    const int64_t part = 5'001;
    for (int round = 0; round < 5; ++round) {
      const Tensor slice = made_up_tensor(rank, FTRUN_F32, part, FTRUN_PLACEMENT_DEVICE);
      const Tensor data = made_up_tensor(rank, FTRUN_F32, 3 * part, FTRUN_PLACEMENT_DEVICE);
      const Tensor sums = made_up_tensor(rank, FTRUN_F32, part, FTRUN_PLACEMENT_DEVICE);
      // Each needs what the one before it wrote; the second is only begun by the third.
      auto gathered = comm.all_gather(rank.ctx, comm.world_group(), slice, data);
      auto scattered = comm.reduce_scatter(rank.ctx, comm.world_group(), data, sums, CollectiveStart::kAtWait);
      auto reduced = comm.all_reduce(rank.ctx, comm.world_group(), sums);
      comm.wait(rank.ctx, std::move(reduced));
      comm.wait(rank.ctx, std::move(gathered));
      comm.wait(rank.ctx, std::move(scattered));
      const std::vector<float> values = values_of(rank, sums);
      for (int64_t i = 0; i < part; ++i) {
        float total = 0;
        for (int32_t owner = 0; owner < 3; ++owner) {
          const float x = made_up(FTRUN_F32, owner, i);
          const float sum = x + x + x;
          total = owner == 0 ? sum : total + sum;
        }
        ASSERT_EQ(values[static_cast<size_t>(i)], total) << i;
      }
    }
  });
}

TEST(Communicator, ACollectiveGoesOnWhileItsRankDoesOtherThings) {
  std::latch peers_are_through(2);
  run_team_well(3, {}, [&](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    const Tensor data = made_up_tensor(rank, FTRUN_F32, 10'000, FTRUN_PLACEMENT_DEVICE);
    auto work = comm.all_reduce(rank.ctx, comm.world_group(), data);
    // Rank 0 does not come back to the communicator before its peers have finished, which takes rank 0's part.
    if (comm.rank() == 0) peers_are_through.wait();
    comm.wait(rank.ctx, std::move(work));
    if (comm.rank() != 0) peers_are_through.count_down();
    EXPECT_EQ(values_of(rank, data)[17], folded(FTRUN_F32, {0, 1, 2}, 17));
  });
}

TEST(Communicator, TheCommunicationThreadTakesNoCores) {
  configure_threads(4, 1);
  run_team_well(2, {}, [](TeamRank& rank) {
    EXPECT_EQ(thread_count(), 4);
    {
      const InlineParallelWork here;
      EXPECT_EQ(thread_count(), 1);
      const std::thread::id self = std::this_thread::get_id();
      std::pair<std::thread::id, int> seen = {self, 0};
      parallel_for(
          64,
          [](void* argument, int64_t) {
            auto& [id, others] = *static_cast<std::pair<std::thread::id, int>*>(argument);
            if (std::this_thread::get_id() != id) ++others;
          },
          &seen);
      EXPECT_EQ(seen.second, 0);
    }
    run_collectives(rank, rank.communicator.world_group(), {FTRUN_F32, 200'000});
  });
  configure_threads(0);
}

TEST(Communicator, DisjointGroupsWorkAtOnce) {
  run_team_well(4, {}, [](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    const std::vector<std::vector<std::vector<int32_t>>> splits = {
        {{0, 1}, {2, 3}}, {{0, 2}, {1, 3}}, {{0, 1, 3}, {2}}, {{0, 3}, {1, 2}}};
    for (int round = 0; round < 3; ++round) {
      for (const auto& split : splits) {
        for (const auto& members : split) {
          if (std::ranges::find(members, comm.rank()) == members.end()) continue;
          CommunicatorGroup& group = comm.group(members);
          EXPECT_EQ(&comm.group(members), &group);
          run_collectives(rank, group, {FTRUN_BF16, 1'001});
          double one = 1;
          comm.sum_host(group, {&one, 1});
          EXPECT_EQ(one, static_cast<double>(members.size()));
          comm.barrier(group, "test");
        }
      }
      run_collectives(rank, comm.world_group(), {FTRUN_F32, 77});
    }
  });
}

TEST(Communicator, GroupsAreAscendingRanksWithThisOneAmongThem) {
  run_team_well(2, {}, [](TeamRank& rank) {
    const std::vector<std::vector<int32_t>> wrong = {{}, {1, 0}, {0, 0, 1}, {0, 2}, {1 - rank.communicator.rank()}};
    for (const std::vector<int32_t>& ranks : wrong) EXPECT_THROW(rank.communicator.group(ranks), Error);
    EXPECT_EQ(&rank.communicator.group(std::vector<int32_t>{0, 1}), &rank.communicator.world_group());
  });
}

TEST(Communicator, HostValues) {
  run_team_well(3, {}, [](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    const int32_t own = comm.rank();
    // 1e16 + 1 is 1e16 in f64, so the order of the fold shows.
    std::vector<double> values = {own == 0 ? 1e16 : 1.0, static_cast<double>(own)};
    comm.sum_host(values);
    EXPECT_EQ(values, (std::vector<double>{1e16 + 1.0 + 1.0, 3.0}));
    EXPECT_EQ(comm.all_gather_text(std::string(static_cast<size_t>(own), 'a' + static_cast<char>(own))),
              (std::vector<std::string>{"", "b", "cc"}));
    EXPECT_EQ(comm.all_gather_text(""), (std::vector<std::string>(3)));
    std::vector<std::byte> bytes(1 << 20, static_cast<std::byte>(own));
    comm.send_host(2, 0, bytes);
    EXPECT_EQ(bytes.back(), static_cast<std::byte>(own == 0 ? 2 : own));
    comm.send_host(1, 1, bytes);
    comm.barrier("the end");
  });
}

TEST(Communicator, CountsWhatMoves) {
  run_team_well(4, {}, [](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    CommunicatorGroup& world = comm.world_group();
    const Tensor data = made_up_tensor(rank, FTRUN_BF16, 4'000, FTRUN_PLACEMENT_DEVICE);
    const Tensor slice = made_up_tensor(rank, FTRUN_BF16, 1'000, FTRUN_PLACEMENT_DEVICE);
    for (int i = 0; i < 2; ++i) comm.wait(rank.ctx, comm.all_reduce(rank.ctx, world, data));
    comm.wait(rank.ctx, comm.reduce_scatter(rank.ctx, world, data, slice));
    comm.wait(rank.ctx, comm.all_gather(rank.ctx, world, slice, data));
    double host = 1;
    comm.sum_host({&host, 1});
    const auto& traffic = comm.traffic();
    const auto expect = [&](ftrun_collective_kind kind, int64_t calls, int64_t elements, uint64_t bytes) {
      EXPECT_EQ(traffic[static_cast<size_t>(kind)].calls, calls);
      EXPECT_EQ(traffic[static_cast<size_t>(kind)].elements, elements);
      EXPECT_EQ(traffic[static_cast<size_t>(kind)].sent_bytes, bytes);
    };
    // Of N ranks, a reduce_scatter or all_gather of n elements sends (N - 1) / N n from each, an all_reduce twice that.
    expect(FTRUN_COLLECTIVE_ALL_REDUCE, 2, 8'000, 2 * 2 * 3'000 * 2);
    expect(FTRUN_COLLECTIVE_REDUCE_SCATTER, 1, 4'000, 3'000 * 2);
    expect(FTRUN_COLLECTIVE_ALL_GATHER, 1, 4'000, 3'000 * 2);
    expect(FTRUN_COLLECTIVE_BROADCAST, 0, 0, 0);
    comm.reset_traffic();
    expect(FTRUN_COLLECTIVE_ALL_REDUCE, 0, 0, 0);
    {
      const SkipParallelWork rehearsal;
      const std::vector<float> before = values_of(rank, slice);
      comm.wait(rank.ctx, comm.all_reduce(rank.ctx, world, slice));
      EXPECT_EQ(values_of(rank, slice), before);
      EXPECT_THROW(comm.reduce_scatter(rank.ctx, world, slice, slice), Error);
    }
    expect(FTRUN_COLLECTIVE_ALL_REDUCE, 0, 0, 0);
  });
}

TEST(Communicator, StagingIsAccountedAndBounded) {
  TeamOptions options;
  options.piece_bytes = 4096;
  run_team_well(2, options, [](TeamRank& rank) {
    const auto communication = [&] {
      return rank.ctx.device->memory_stats().category_bytes[FTRUN_MEMORY_COMMUNICATION];
    };
    EXPECT_EQ(communication(), 0u);
    run_collectives(rank, rank.communicator.world_group(), {FTRUN_F32, 100});
    EXPECT_GT(communication(), 0u);
    run_collectives(rank, rank.communicator.world_group(), {FTRUN_F32, 100'000});
    EXPECT_GE(communication(), 2u * 4096u);
    EXPECT_LE(communication(), 3u * 4096u) << "a page more where allocations end in a gap (address sanitizer)";
  });
}

TEST(Communicator, RefusesWhatDoesNotFit) {
  run_team_well(2, {}, [](TeamRank& rank) {
    Communicator& comm = rank.communicator;
    CommunicatorGroup& world = comm.world_group();
    ExecutionContext& ctx = rank.ctx;
    const Tensor data = made_up_tensor(rank, FTRUN_F32, 8, FTRUN_PLACEMENT_DEVICE);
    const Tensor halves = made_up_tensor(rank, FTRUN_BF16, 4, FTRUN_PLACEMENT_DEVICE);
    const Tensor integers = empty(ctx, FTRUN_I32, {8});
    EXPECT_THROW(comm.all_reduce(ctx, world, data.reshape({2, 4})), Error);
    EXPECT_THROW(comm.all_reduce(ctx, world, Tensor()), Error);
    EXPECT_THROW(comm.all_reduce(ctx, world, integers), Error);
    EXPECT_THROW(comm.reduce_scatter(ctx, world, data, data.slice(0, 0, 3)), Error);
    EXPECT_THROW(comm.all_gather(ctx, world, halves, data), Error);
    const int64_t other = comm.rank() == 0 ? 4 : 0;
    EXPECT_THROW(comm.all_gather(ctx, world, data.slice(0, other, other + 4), data), Error);
    EXPECT_THROW(comm.reduce_scatter(ctx, world, data, data.slice(0, 1, 5)), Error);
    EXPECT_THROW(comm.all_to_all(ctx, world, data, data), Error);
    EXPECT_THROW(comm.broadcast(ctx, world, data, 2), Error);
    EXPECT_THROW(comm.send(ctx, world, data, comm.rank()), Error);
    EXPECT_THROW(comm.all_to_all(ctx, world, data.slice(0, 0, 7), data.slice(0, 0, 7)), Error);
    EXPECT_THROW(comm.send_host(0, 2, {}), Error);
    // Nothing was begun.
    run_collectives(rank, world, {FTRUN_F32, 3});
  });
}

TEST(Communicator, AWorldOfOneIsTheIdentity) {
  OpenedPlugin cpu("cpu");
  Communicator comm;
  ExecutionContext ctx;
  ctx.device = ctx.host_device = &cpu.device();
  TeamRank rank = {ctx, comm};
  EXPECT_EQ(comm.world(), 1);
  for (const ftrun_dtype dtype : {FTRUN_F32, FTRUN_BF16}) run_collectives(rank, comm.world_group(), {dtype, 33});
  double value = 2.5;
  comm.sum_host({&value, 1});
  EXPECT_EQ(value, 2.5);
  EXPECT_EQ(comm.all_gather_text("alone"), std::vector<std::string>{"alone"});
  comm.barrier("alone");
  comm.abort("nobody hears it");
  EXPECT_EQ(comm.traffic()[FTRUN_COLLECTIVE_ALL_REDUCE].sent_bytes, 0u);
}

}  // namespace
}  // namespace ftrun::test
