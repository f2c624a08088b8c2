// Chooses the kernels' instruction set for the whole test program: FTRUN_CPU_ISA, or FTRUN_TEST_SCALAR=1 for the
// portable code.
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
    std::printf("kernels: %s\n", choice.name);
    if (!choice.notice.empty()) GTEST_SKIP() << choice.notice;
  }
};

const ::testing::Environment* const kEnvironment = ::testing::AddGlobalTestEnvironment(new IsaEnvironment);

}  // namespace
