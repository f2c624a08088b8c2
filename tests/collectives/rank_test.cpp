// What a Rank makes of its communicator: the strategies' C table and the gradient norm over several ranks.
#include "core/model/rank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/model/api_tables.h"
#include "tests/collectives/collective_cases.h"

namespace ftrun::test {
namespace {

using ::testing::HasSubstr;

/// A rank without roles; strategies are never called.
std::unique_ptr<Rank> bare_rank(TeamRank& rank) {
  static const auto* strategy = static_cast<const ftrun_strategy*>(load_plugin("strategy", "single")->table);
  RankArguments arguments;
  arguments.rank = rank.communicator.rank();
  arguments.world = rank.communicator.world();
  arguments.communicator = &rank.communicator;
  arguments.device = rank.ctx.device;
  arguments.host_device = rank.ctx.host_device;
  arguments.strategy = strategy;
  return std::make_unique<Rank>(arguments);
}

TEST(RankOverSeveralRanks, GradNormFoldsFixedBlocksInTheOrderOfTheLayout) {
  const std::vector<int64_t> lengths = {16, 2'048, 1'600};
  for (const int32_t world : {1, 2, 3, 4}) {
    // Per slice index, in rank order, blocks of 1,024 elements in f64.
    double sum = 0;
    for (const int64_t length : lengths) {
      for (int32_t owner = 0; owner < world; ++owner) {
        for (int64_t begin = 0; begin < length; begin += 1024) {
          double block = 0;
          for (int64_t i = begin; i < std::min(length, begin + 1024); ++i) {
            const auto x = static_cast<double>(made_up(FTRUN_BF16, owner, i));
            block += x * x;
          }
          sum += block;
        }
      }
    }
    const auto expected = static_cast<double>(static_cast<float>(std::sqrt(sum)));
    run_team_well(world, {}, [&](TeamRank& team) {
      const auto rank = bare_rank(team);
      std::vector<Tensor> slices;
      for (const int64_t length : lengths) {
        slices.push_back(made_up_tensor(team, FTRUN_BF16, length, FTRUN_PLACEMENT_DEVICE));
      }
      EXPECT_EQ(rank->grad_norm(slices), expected);
      EXPECT_EQ(rank->grad_norm({}), 0.0);
    });
  }
}

TEST(RankOverSeveralRanks, GradNormNeedsAsManySlicesFromEveryRank) {
  const auto failures = run_team(2, {}, [](TeamRank& team) {
    const auto rank = bare_rank(team);
    const std::vector<Tensor> slices(static_cast<size_t>(team.communicator.rank() + 1),
                                     made_up_tensor(team, FTRUN_F32, 16, FTRUN_PLACEMENT_DEVICE));
    rank->grad_norm(slices);
  });
  EXPECT_EQ(failures[0].message, "grad_norm: rank 0 gave 1 slices, rank 1 gave 2");
  EXPECT_EQ(failures[1].message, "grad_norm: rank 1 gave 2 slices, rank 0 gave 1");
}

TEST(RankOverSeveralRanks, ItsPlaceMustBeTheCommunicators) {
  run_team_well(2, {}, [](TeamRank& team) {
    RankArguments arguments = bare_rank(team)->arguments();
    arguments.rank = 1 - arguments.rank;
    EXPECT_THROW(Rank{arguments}, Error);
  });
}

TEST(CollectivesApi, GivesStrategiesTheCollectives) {
  run_team_well(4, {}, [](TeamRank& team) {
    const auto rank = bare_rank(team);
    ftrun_context* ctx = &rank->context();
    const ftrun_collectives_api& api = *collectives_api_table();
    const int32_t own = team.communicator.rank();
    const Tensor data = made_up_tensor(team, FTRUN_F32, 400, FTRUN_PLACEMENT_DEVICE);
    const Tensor slice = made_up_tensor(team, FTRUN_F32, 100, FTRUN_PLACEMENT_DEVICE);
    ftrun_work* work = nullptr;
    ASSERT_EQ(api.reduce_scatter(ctx, nullptr, data.get(), slice.get(), &work), FTRUN_OK);
    ASSERT_NE(work, nullptr);
    EXPECT_EQ(api.wait(ctx, work), FTRUN_OK);
    EXPECT_EQ(values_of(team, slice)[9], folded(FTRUN_F32, {0, 1, 2, 3}, own * 100 + 9));
    ASSERT_EQ(api.all_gather(ctx, nullptr, slice.get(), data.get(), nullptr), FTRUN_OK);
    EXPECT_EQ(values_of(team, data)[399], folded(FTRUN_F32, {0, 1, 2, 3}, 399));

    const std::vector<int32_t> pair = {own % 2, own % 2 + 2};
    ftrun_group* group = nullptr;
    ASSERT_EQ(api.group(ctx, pair.data(), 2, &group), FTRUN_OK);
    const Tensor summed = made_up_tensor(team, FTRUN_F32, 50, FTRUN_PLACEMENT_DEVICE);
    ASSERT_EQ(api.all_reduce(ctx, group, summed.get(), nullptr), FTRUN_OK);
    EXPECT_EQ(values_of(team, summed)[49], folded(FTRUN_F32, pair, 49));
    ASSERT_EQ(api.broadcast(ctx, group, summed.get(), 1, nullptr), FTRUN_OK);
    ASSERT_EQ(api.all_to_all(ctx, group, summed.get(), slice.slice(0, 0, 50).get(), nullptr), FTRUN_OK);
    if (own < 2) {
      ASSERT_EQ(api.send(ctx, group, summed.get(), 1, nullptr), FTRUN_OK);
    } else {
      ASSERT_EQ(api.receive(ctx, group, summed.get(), 0, nullptr), FTRUN_OK);
    }
    double one = 1;
    ASSERT_EQ(api.sum_host(ctx, group, &one, 1), FTRUN_OK);
    EXPECT_EQ(one, 2);
    EXPECT_EQ(api.barrier(ctx, group), FTRUN_OK);
    EXPECT_EQ(api.barrier(ctx, nullptr), FTRUN_OK);

    const int32_t wrong[] = {3, 1};
    EXPECT_EQ(api.group(ctx, wrong, 2, &group), FTRUN_INVALID_ARGUMENT);
    EXPECT_THAT(take_failure_detail(), HasSubstr("[3, 1]"));
    EXPECT_EQ(api.all_reduce(ctx, nullptr, nullptr, &work), FTRUN_INVALID_ARGUMENT);
    EXPECT_EQ(work, nullptr);
  });
}

TEST(CollectivesApi, AFailedWorkIsReportedByWait) {
  const auto failures = run_team(2, {}, [](TeamRank& team) {
    if (team.communicator.rank() == 1) throw invalid_argument("no more");
    const auto rank = bare_rank(team);
    const Tensor data = made_up_tensor(team, FTRUN_F32, 16, FTRUN_PLACEMENT_DEVICE);
    ftrun_work* work = nullptr;
    ASSERT_EQ(collectives_api_table()->all_reduce(&rank->context(), nullptr, data.get(), &work), FTRUN_OK);
    EXPECT_EQ(collectives_api_table()->wait(&rank->context(), work), FTRUN_ABORTED);
    EXPECT_THAT(take_failure_detail(), HasSubstr("aborted: rank 1: no more"));
  });
  EXPECT_EQ(failures[0].message, "");
}

}  // namespace
}  // namespace ftrun::test
