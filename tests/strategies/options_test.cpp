// Options that contradict each other or the run are refused with key and remedy, on every rank alike.
#include <gmock/gmock.h>

#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

using ::testing::HasSubstr;

void expect_refused(const std::string& strategy, const std::map<std::string, std::string>& options,
                    const std::vector<std::string>& parts, const std::map<std::string, std::string>& host = {}) {
  StrategyCase given;
  given.strategy = strategy;
  given.options = options;
  given.host = host;
  given.world = 2;
  given.updates = 1;
  for (const std::string& failure : run_case(given).failures) {
    for (const std::string& part : parts) EXPECT_THAT(failure, HasSubstr(part)) << given.name();
  }
}

TEST(Options, OffloadedParametersNeedSlices) {
  for (const char* strategy : {"ddp", "zero1", "zero2"}) {
    expect_refused(strategy, {{"offload_param", "cpu"}},
                   {"case.yaml:1: offload_param", std::string("strategy '") + strategy + "'", "zero3 or fsdp"});
  }
}

TEST(Options, HybridShardNeedsAGroupThatDividesTheWorld) {
  expect_refused("fsdp", {{"sharding_strategy", "hybrid_shard"}}, {"sharding_strategy", "set shard_group_size"});
  expect_refused("fsdp", {{"sharding_strategy", "hybrid_shard"}, {"shard_group_size", "3"}},
                 {"case.yaml:1: shard_group_size: 3 does not divide the run's 2 ranks: use one of 1, 2"});
  expect_refused("fsdp", {{"shard_group_size", "2"}}, {"shard_group_size", "hybrid_shard"});
}

TEST(Options, ShardGradOpDoesNotReshard) {
  expect_refused("fsdp", {{"sharding_strategy", "shard_grad_op"}, {"reshard_after_forward", "true"}},
                 {"reshard_after_forward: true contradicts sharding_strategy: shard_grad_op"});
}

TEST(Options, PureBf16HasNoWiderWire) {
  for (const char* strategy : {"ddp", "zero1", "zero2", "zero3", "fsdp"}) {
    expect_refused(strategy, {{"reduce_dtype", "fp32"}}, {"case.yaml:1: reduce_dtype", "pure_bf16"},
                   {{"pure_bf16", "true"}});
  }
}

TEST(Options, WhatAnImportedFileStatesMustBeTheRuns) {
  expect_refused("zero2", {{"expects", "'gradient_accumulation_steps=4,bf16=true'"}},
                 {"case.yaml:1: gradient_accumulation_steps: the imported file states 4, this run has 1"});
  expect_refused("zero2", {{"expects", "'gradient_accumulation_steps=4,bf16=true'"}},
                 {"bf16: the imported file states true, this run has false"}, {{"gradient_accumulation_steps", "4"}});
  expect_refused("zero2", {{"expects", "lr_scheduler_type=cosine"}},
                 {"lr_scheduler_type: the imported file states cosine, this run has linear"});
  expect_refused("zero2", {{"expects", "train_batch_size=64"}},
                 {"train_batch_size: the imported file states 64, this run has 16", "x 2 ranks"});
  expect_refused("zero2", {{"expects", "bf16"}}, {"expects: expected KEY=VALUE, got 'bf16'"});
  StrategyCase agreeing;
  agreeing.strategy = "zero2";
  agreeing.world = 2;
  agreeing.updates = 1;
  agreeing.options = {{"expects", "'train_batch_size=16,max_grad_norm=1,bf16=false,lr_scheduler_type=linear'"}};
  run_well(agreeing);
}

TEST(Options, SingleRunsOnOneRank) { expect_refused("single", {}, {"strategy 'single' runs on 1 rank", "--nproc 1"}); }

}  // namespace
}  // namespace ftrun::test
