// Adapters that read or change the base when a strategy is attached: DoRA's norms, PiSSA's rest, a merged adapter,
// wherever the strategy keeps the base. Leaves out: their values (tests/model/lora_test.cpp).
#include "tests/strategies/strategy_fixture.h"

namespace ftrun::test {
namespace {

struct Start {
  const char* name;
  bool principal;
  const char* merged;
};

struct Placement {
  const char* name;
  const char* strategy;
  std::map<std::string, std::string> options;
};

const std::vector<Start>& starts() {
  static const std::vector<Start> all = {{"dora", false, ""},
                                         {"pissa", true, ""},
                                         {"two adapters", false, "llama/lora"},
                                         {"pissa on one", true, "llama/lora"}};
  return all;
}

const std::vector<Placement>& placements() {
  static const std::vector<Placement> all = {
      {"zero3", "zero3", {}},
      {"zero3, weights on the host", "zero3", {{"offload_param", "cpu"}}},
      {"zero3, all on the host", "zero3", {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}}},
      {"fsdp", "fsdp", {}},
      {"fsdp, all on the host", "fsdp", {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}}},
      {"zero2, optimizer on the host", "zero2", {{"offload_optimizer", "cpu"}}},
  };
  return all;
}

StrategyCase case_of(const Start& start, bool bf16) {
  StrategyCase given = make_case("llama", "single", 1, 1);
  given.adapter_rank = 2;
  given.with_reference = true;
  given.starts_principal = start.principal;
  given.merged_adapter = start.merged;
  given.updates = 2;
  given.reloads = true;
  if (bf16) given.precision = Precision::bf16();
  return given;
}

class AdapterStarts : public ::testing::TestWithParam<const char*> {};

TEST_P(AdapterStarts, AreThoseOfOneRankWhereverTheBaseIsKept) {
  for (const Start& start : starts()) {
    StrategyCase given = case_of(start, false);
    const Outcome expected = run_well(given);
    given.world = 2;
    given.device = GetParam();
    for (const Placement& placement : placements()) {
      given.strategy = placement.strategy;
      given.options = placement.options;
      expect_equivalent(run_well(given), expected, std::string(start.name) + ", " + placement.name);
    }
  }
}

TEST_P(AdapterStarts, HaveTheSameBitsInBf16WhereverTheBaseIsKept) {
  for (const Start& start : starts()) {
    StrategyCase given = case_of(start, true);
    given.world = 2;
    given.strategy = "zero3";
    const Outcome expected = run_well(given);
    given.device = GetParam();
    for (const Placement& placement : placements()) {
      given.strategy = placement.strategy;
      given.options = placement.options;
      expect_same_bits(run_well(given), expected, std::string(start.name) + ", " + placement.name);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, AdapterStarts, ::testing::Values("cpu", "npu_a2"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace ftrun::test
