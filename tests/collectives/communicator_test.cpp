// The collectives over ranks that are threads: bits, order, groups, overlap, traffic.
#include "core/collectives/communicator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "core/parallel/thread_pool.h"
#include "tests/collectives/collective_cases.h"

namespace ftrun::test {
namespace {

using ::testing::HasSubstr;

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
  std::vector<std::vector<std::byte>> first(4);
  for (int run = 0; run < 3; ++run) {
    run_team_well(4, {}, [&](TeamRank& rank) {
      const auto index = static_cast<size_t>(rank.communicator.rank());
      const auto bytes = run_collectives(rank, rank.communicator.world_group(), {FTRUN_BF16, 300'001});
      if (run == 0) first[index] = bytes;
      EXPECT_EQ(bytes, first[index]);
    });
  }
}

}  // namespace
}  // namespace ftrun::test
