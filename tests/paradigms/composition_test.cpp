// Every paradigm under every tuner and strategy learns what one device does.
// Leaves out: strategies against each other (tests/strategies), losses against TRL (golden_test.cpp).
#include "tests/paradigms/stage_cases.h"

namespace ftrun::test {
namespace {

constexpr const char* kTuners[] = {"full", "lora", "freeze"};

struct Distribution {
  std::string strategy;
  std::map<std::string, std::string> options;
};

/// Offload acts where the host cannot reach the device: those rows run on the emulated NPU.
const std::vector<Distribution>& distributions() {
  static const std::map<std::string, std::string> kOptimizer = {{"offload_optimizer", "cpu"}};
  static const std::map<std::string, std::string> kBoth = {{"offload_optimizer", "cpu"}, {"offload_param", "cpu"}};
  static const std::vector<Distribution> all = {
      {"ddp", {}},         {"zero1", {}},         {"zero2", {}},         {"zero3", {}},    {"fsdp", {}},
      {"ddp", kOptimizer}, {"zero1", kOptimizer}, {"zero2", kOptimizer}, {"zero3", kBoth}, {"fsdp", kBoth},
  };
  return all;
}

class Composition : public testing::TestWithParam<std::tuple<Stage, const char*>> {};

TEST_P(Composition, EveryStrategyIsSingle) {
  const auto& [stage, tuner] = GetParam();
  ParadigmCase given = stage_case(stage, tuner);
  const ParadigmOutcome expected = run_paradigm_well(given);
  given.world = 2;
  for (const Distribution& distribution : distributions()) {
    given.strategy = distribution.strategy;
    given.strategy_options = distribution.options;
    given.device = distribution.options.empty() ? "cpu" : "npu_a2";
    given.accumulation = distribution.options.empty() ? 1 : 2;
    SCOPED_TRACE(given.name());
    expect_equivalent(run_paradigm_well(given), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Matrix, Composition, testing::Combine(testing::ValuesIn(stages()), testing::ValuesIn(kTuners)),
                         [](const auto& test) { return std::get<0>(test.param).name + "_" + std::get<1>(test.param); });

struct ReferenceKind {
  const char* name;
  const char* tuner;
  std::map<std::string, std::string> options;
  std::vector<std::string> roles;
};
void PrintTo(const ReferenceKind& kind, std::ostream* out) { *out << kind.name; }

class ShardedReference : public testing::TestWithParam<ReferenceKind> {};

TEST_P(ShardedReference, IsThatOfOneDevice) {
  const ReferenceKind& kind = GetParam();
  for (const char* paradigm : {"dpo", "kto"}) {
    ParadigmCase given = stage_case({paradigm, paradigm, {}}, kind.tuner);
    given.options = kind.options;
    const ParadigmOutcome expected = run_paradigm_well(given);
    EXPECT_EQ(expected.roles, kind.roles);
    given.world = 2;
    given.strategy = "zero3";
    SCOPED_TRACE(given.name());
    expect_equivalent(run_paradigm_well(given), expected);
  }
}

const std::vector<std::string> kBeside = {"policy", "reference"};
INSTANTIATE_TEST_SUITE_P(
    Kinds, ShardedReference,
    testing::Values(
        ReferenceKind{"second_model", "full", {{"ref_model", "x"}}, kBeside},
        ReferenceKind{"second_model_beside_adapter", "lora", {{"ref_model", "x"}}, kBeside},
        ReferenceKind{"initial_model", "full", {}, kBeside}, ReferenceKind{"adapter_off", "lora", {}, kBeside},
        ReferenceKind{"adapter_at_start", "lora", {{"ref_model", "start"}}, kBeside},
        ReferenceKind{"start_of_all", "full", {{"ref_model", "start"}}, kBeside},
        ReferenceKind{
            "precomputed_start", "lora", {{"ref_model", "start"}, {"precompute_ref_log_probs", "true"}}, {"policy"}},
        ReferenceKind{"precomputed", "full", {{"precompute_ref_log_probs", "true"}}, {"policy"}},
        ReferenceKind{"precomputed_adapter_off", "lora", {{"precompute_ref_log_probs", "true"}}, kBeside}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ftrun::test
