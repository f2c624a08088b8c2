// A rank that fails in the middle of an update ends the others with its message, whatever was under way.
#include <gmock/gmock.h>

#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

TEST(Failure, EndsEveryRankWithTheReason) {
  for (const char* strategy : kStrategies) {
    for (const int32_t failing : {0, 2}) {
      StrategyCase given = make_case("llama", strategy, 3, 3);
      given.failing_rank = failing;
      const Outcome found = run_case(given);
      for (int32_t rank = 0; rank < given.world; ++rank) {
        EXPECT_THAT(found.failures[static_cast<size_t>(rank)], ::testing::HasSubstr("made to fail"))
            << given.name() << ": rank " << rank;
      }
    }
  }
}

TEST(Failure, AnAcceleratorsRanksEndToo) {
  StrategyCase given = make_case("llama", "zero3", 3, 3);
  given.device = "npu_a2";
  given.options = {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}};
  given.failing_rank = 1;
  for (const std::string& failure : run_case(given).failures) {
    EXPECT_THAT(failure, ::testing::HasSubstr("made to fail"));
  }
}

}  // namespace
}  // namespace ftrun::test
