// What may not change any bit: buckets, prefetch, what stays gathered, precision within the groups, recompute.
#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

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

TEST(Bits, WrittenWeightsReachEveryCopy) {
  for (const char* strategy : kStrategies) {
    for (const bool bf16 : {false, true}) {
      StrategyCase untrained = make_case("qwen3", strategy, 3, 1);
      untrained.precision = bf16 ? Precision::bf16() : Precision::f32();
      untrained.updates = 0;
      StrategyCase reloaded = untrained;
      reloaded.updates = 2;
      reloaded.reloads = true;
      Outcome found = run_well(reloaded);
      found.losses.clear(), found.norms.clear(), found.reference.clear();
      expect_same_bits(found, run_well(untrained), reloaded.name());
    }
  }
}

}  // namespace
}  // namespace ftrun::test
