// Chooses the kernels' instruction set for the whole test program: FTRUN_CPU_ISA, FTRUN_TEST_SCALAR=1 for the
// portable code, or FTRUN_TEST_BF16_PAIRS=1 for the packing of the bf16 instructions on a CPU without them.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdlib>

#include "plugins/devices/kernels/isa.h"

namespace {

class IsaEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const ftrun::kernels::IsaChoice choice = ftrun::kernels::choose_isa();
    if (std::getenv("FTRUN_TEST_SCALAR") != nullptr) {
      hwy::SetSupportedTargetsForTest(HWY_SCALAR);
      hwy::GetChosenTarget().Update(HWY_SCALAR);
      std::printf("kernels: scalar\n");
      return;
    }
    if (std::getenv("FTRUN_TEST_BF16_PAIRS") != nullptr) {
      ftrun::kernels::set_bf16_products(ftrun::kernels::Bf16Products::kPairs);
      std::printf("kernels: %s, bf16 pairs by f32 instructions\n", choice.name);
      return;
    }
    std::printf("kernels: %s\n", choice.name);
    if (!choice.notice.empty()) GTEST_SKIP() << choice.notice;
  }
};

const ::testing::Environment* const kEnvironment = ::testing::AddGlobalTestEnvironment(new IsaEnvironment);

}  // namespace
