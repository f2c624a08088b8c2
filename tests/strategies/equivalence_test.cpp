// Every strategy trains what one device trains, and which of them are equal bit by bit.
#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

StrategyCase make_case(const std::string& model, const std::string& strategy, int32_t world, int32_t accumulation) {
  StrategyCase made;
  made.model = model;
  made.strategy = strategy;
  made.world = world;
  made.accumulation = accumulation;
  return made;
}

/// What one device makes of the same global batch, in one micro-batch.
const Outcome& single(const std::string& model) {
  static std::map<std::string, Outcome> outcomes;
  const auto [found, is_new] = outcomes.try_emplace(model);
  if (is_new) found->second = run_well(make_case(model, "single", 1, 1));
  return found->second;
}

constexpr const char* kModels[] = {"llama", "qwen3"};
constexpr const char* kStrategies[] = {"ddp", "zero1", "zero2", "zero3", "fsdp"};

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

/// A change to a case that must not change any bit.
using Change = std::function<void(StrategyCase&)>;

void expect_unchanged(const StrategyCase& given, const Change& change, const std::string& what) {
  StrategyCase changed = given;
  change(changed);
  expect_same_bits(run_well(changed), run_well(given), given.name() + ": " + what);
}

TEST(Bits, DoNotDependOnBucketsOrPrefetch) {
  for (const char* strategy : {"ddp", "zero1"}) {
    expect_unchanged(
        make_case("llama", strategy, 3, 3), [](StrategyCase& c) { c.options["reduce_bucket_size"] = "1024"; },
        "small buckets");
  }
  for (const char* strategy : {"zero3", "fsdp"}) {
    expect_unchanged(
        make_case("qwen3", strategy, 3, 3), [](StrategyCase& c) { c.options["prefetch"] = "false"; }, "no prefetch");
  }
}

TEST(Bits, DoNotDependOnWhatStaysGathered) {
  expect_unchanged(
      make_case("qwen3", "fsdp", 3, 3), [](StrategyCase& c) { c.options["sharding_strategy"] = "shard_grad_op"; },
      "shard_grad_op");
  for (const char* threshold : {"100", "3000", "1000000"}) {
    expect_unchanged(
        make_case("qwen3", "zero3", 2, 3),
        [&](StrategyCase& c) { c.options["param_persistence_threshold"] = threshold; }, "persistent units");
  }
}

TEST(Bits, ReducingEveryMicroBatchMakesAllStrategiesEqual) {
  for (const bool bf16 : {false, true}) {
    StrategyCase zero2 = make_case("llama", "zero2", 3, 3);
    zero2.precision = bf16 ? Precision::bf16() : Precision::f32();
    const Outcome expected = run_well(zero2);
    for (const char* strategy : {"ddp", "zero1"}) {
      StrategyCase given = zero2;
      given.strategy = strategy;
      given.options["reduce_every_micro_batch"] = "true";
      expect_same_bits(run_well(given), expected, given.name());
    }
  }
}

TEST(Bits, GroupsHoldInEveryPrecision) {
  struct Kind {
    Precision precision;
    std::string reduce_dtype;
  };
  for (const Kind& kind : {Kind{Precision::bf16(), "auto"}, Kind{Precision::bf16(), "fp32"},
                           Kind{Precision::pure_bf16(), "auto"}, Kind{Precision::f32(), "bf16"}}) {
    for (const int32_t accumulation : {1, 3}) {
      std::map<std::string, Outcome> outcomes;
      for (const char* strategy : kStrategies) {
        StrategyCase given = make_case("qwen3", strategy, 3, accumulation);
        given.precision = kind.precision;
        given.options["reduce_dtype"] = kind.reduce_dtype;
        outcomes[strategy] = run_well(given);
      }
      const std::string what = kind.reduce_dtype + " on the wire, accumulation " + std::to_string(accumulation);
      expect_same_bits(outcomes["zero1"], outcomes["ddp"], what + ": zero1 and ddp");
      expect_same_bits(outcomes["zero3"], outcomes["zero2"], what + ": zero3 and zero2");
      expect_same_bits(outcomes["fsdp"], outcomes["zero2"], what + ": fsdp and zero2");
      if (accumulation == 1) expect_same_bits(outcomes["zero2"], outcomes["ddp"], what + ": zero2 and ddp");
    }
  }
}

TEST(Bits, RecomputeAndRehearsalChangeNothing) {
  for (const char* strategy : kStrategies) {
    const StrategyCase given = make_case("qwen3", strategy, 2, 3);
    expect_unchanged(
        given, [](StrategyCase& c) { c.gradient_checkpointing = false; }, "without recompute");
    expect_unchanged(
        given, [](StrategyCase& c) { c.rehearses = true; }, "after a rehearsal");
  }
}

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
