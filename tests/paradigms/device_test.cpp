// Every paradigm on the emulated NPU and in bf16.
// Leaves out: strategies on it (composition_test.cpp).
#include <cmath>

#include "tests/paradigms/stage_cases.h"

namespace ftrun::test {
namespace {

std::vector<Stage> stages_and_simpo() {
  std::vector<Stage> all = stages();
  all.push_back(simpo_stage());
  return all;
}

class OnDevice : public testing::TestWithParam<std::tuple<Stage, const char*>> {};

TEST_P(OnDevice, TheEmulatedNpuComputesTheBitsOfTheCpu) {
  const auto& [stage, tuner] = GetParam();
  for (const bool bf16 : {false, true}) {
    ParadigmCase given = stage_case(stage, tuner);
    if (bf16) given.precision = Precision::bf16();
    const ParadigmOutcome expected = run_paradigm_well(given);
    given.device = "npu_a2";
    SCOPED_TRACE(given.name());
    expect_same_bits(run_paradigm_well(given), expected);
  }
}

/// Activations are rounded to 8 bits: a loss may be off by one part in 2^8 of the largest number in it after the first
/// forward, and by as much again with every update whose gradients and weights are rounded too.
TEST_P(OnDevice, Bf16KeepsToTheCurveOfFp32) {
  const auto& [stage, tuner] = GetParam();
  ParadigmCase given = stage_case(stage, tuner);
  const ParadigmOutcome expected = run_paradigm_well(given);
  for (const Precision& precision : {Precision::bf16(), Precision::pure_bf16()}) {
    given.precision = precision;
    SCOPED_TRACE(given.name());
    const ParadigmOutcome found = run_paradigm_well(given);
    ASSERT_EQ(found.losses.size(), expected.losses.size());
    EXPECT_NE(found.losses, expected.losses) << "nothing was rounded";
    constexpr double kRounding = 1.0 / 256;
    for (size_t step = 0; step < expected.losses.size(); ++step) {
      const double allowed = kRounding * static_cast<double>(step + 1);
      EXPECT_NEAR(found.losses[step], expected.losses[step], allowed * std::max(1.0, expected.losses[step])) << step;
      EXPECT_NEAR(found.norms[step], expected.norms[step], allowed * std::max(1.0, expected.norms[step])) << step;
    }
    EXPECT_NEAR(found.evaluation, expected.evaluation, 4 * kRounding * std::max(1.0, expected.evaluation));
  }
}

INSTANTIATE_TEST_SUITE_P(Stages, OnDevice,
                         testing::Combine(testing::ValuesIn(stages_and_simpo()), testing::Values("full", "lora")),
                         [](const auto& test) { return std::get<0>(test.param).name + "_" + std::get<1>(test.param); });

}  // namespace
}  // namespace ftrun::test
