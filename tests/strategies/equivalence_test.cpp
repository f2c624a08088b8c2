// Every strategy trains what one device trains, and which of them are equal bit by bit.
#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

/// What one device makes of the same global batch, in one micro-batch.
const Outcome& single(const std::string& model) {
  static std::map<std::string, Outcome> outcomes;
  const auto [found, is_new] = outcomes.try_emplace(model);
  if (is_new) found->second = run_well(make_case(model, "single", 1, 1));
  return found->second;
}

constexpr const char* kModels[] = {"llama", "qwen3"};

class Equivalence : public ::testing::TestWithParam<std::tuple<const char*, int32_t, int32_t>> {};

TEST_P(Equivalence, EveryStrategyIsSingleAndGroupsAreBitwise) {
  const auto& [model, world, accumulation] = GetParam();
  std::map<std::string, Outcome> outcomes;
  for (const char* strategy : kStrategies) {
    const StrategyCase given = make_case(model, strategy, world, accumulation);
    outcomes[strategy] = run_well(given);
    expect_equivalent(outcomes[strategy], single(model), given.name());
  }
  expect_same_bits(outcomes["zero1"], outcomes["ddp"], "zero1 and ddp");
  expect_same_bits(outcomes["zero3"], outcomes["zero2"], "zero3 and zero2");
  expect_same_bits(outcomes["fsdp"], outcomes["zero2"], "fsdp and zero2");
  if (accumulation == 1) expect_same_bits(outcomes["zero2"], outcomes["ddp"], "zero2 and ddp");
}

INSTANTIATE_TEST_SUITE_P(Matrix, Equivalence,
                         ::testing::Combine(::testing::ValuesIn(kModels), ::testing::Values(1, 2, 3, 4),
                                            ::testing::Values(1, 3)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param)) + "_world" +
                                  std::to_string(std::get<1>(test.param)) + "_accumulation" +
                                  std::to_string(std::get<2>(test.param));
                         });

TEST(Equivalence, HybridShardIsSingleToRounding) {
  for (const char* model : kModels) {
    for (const char* reshard : {"true", "false"}) {
      StrategyCase given = make_case(model, "fsdp", 4, 3);
      given.options = {
          {"sharding_strategy", "hybrid_shard"}, {"shard_group_size", "2"}, {"reshard_after_forward", reshard}};
      expect_equivalent(run_well(given), single(model), given.name());
    }
  }
  // One group is full_shard.
  StrategyCase whole = make_case("llama", "fsdp", 4, 3);
  const Outcome expected = run_well(whole);
  whole.options = {{"sharding_strategy", "hybrid_shard"}, {"shard_group_size", "4"}};
  expect_same_bits(run_well(whole), expected, whole.name());
  // Groups of one rank hold everything.
  StrategyCase alone = make_case("llama", "fsdp", 4, 1);
  alone.options = {{"sharding_strategy", "hybrid_shard"}, {"shard_group_size", "1"}};
  expect_equivalent(run_well(alone), single("llama"), alone.name());
}

TEST(Equivalence, LowRankPairsWithDropoutAndTheBaseAsReference) {
  for (const char* model : kModels) {
    StrategyCase given = make_case(model, "single", 1, 1);
    given.adapter_rank = 2;
    given.with_reference = true;
    const Outcome expected = run_well(given);
    for (const int32_t world : {2, 4}) {
      for (const int32_t accumulation : {1, 3}) {
        std::map<std::string, Outcome> outcomes;
        for (const char* strategy : kStrategies) {
          given.strategy = strategy;
          given.world = world;
          given.accumulation = accumulation;
          outcomes[strategy] = run_well(given);
          expect_equivalent(outcomes[strategy], expected, given.name() + " with pairs");
        }
        expect_same_bits(outcomes["zero1"], outcomes["ddp"], "zero1 and ddp, with pairs");
        expect_same_bits(outcomes["zero3"], outcomes["zero2"], "zero3 and zero2, with pairs");
        expect_same_bits(outcomes["fsdp"], outcomes["zero2"], "fsdp and zero2, with pairs");
      }
    }
  }
}

TEST(Equivalence, FrozenRolesAndFrozenPartsAreServedToo) {
  for (const char* model : kModels) {
    StrategyCase given = make_case(model, "single", 1, 1);
    given.with_reference = true;
    // Only the attention of the second block and the norms are trained: units below have no backward.
    given.is_trained = [](const std::string& name) {
      return name.find("layers.1.self_attn") != std::string::npos || name == "model.norm.weight";
    };
    const Outcome expected = run_well(given);
    std::map<std::string, Outcome> outcomes;
    for (const char* strategy : kStrategies) {
      given.strategy = strategy;
      given.world = 3;
      given.accumulation = 3;
      outcomes[strategy] = run_well(given);
      expect_equivalent(outcomes[strategy], expected, given.name() + " partly frozen");
    }
    expect_same_bits(outcomes["zero3"], outcomes["zero2"], "zero3 and zero2, partly frozen");
    given.strategy = "fsdp";
    given.options = {{"sharding_strategy", "shard_grad_op"}};
    expect_same_bits(run_well(given), outcomes["zero2"], "shard_grad_op and zero2, partly frozen");
  }
}

}  // namespace
}  // namespace ftrun::test
