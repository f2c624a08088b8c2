// Chooses the kernels' instruction set for the whole test program: FTRUN_CPU_ISA, FTRUN_TEST_SCALAR=1 for the
// portable code, or FTRUN_TEST_CLASS=NAME for the tiled kernels of another class of CPUs on this one's vectors.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "plugins/devices/kernels/isa.h"
#include "tests/kernels/class_kernels.h"

namespace {

void use_class(const std::string& name) {
  static ftrun::test::CpuClass chosen;
  for (const ftrun::test::CpuClass& cpu_class : ftrun::test::cpu_classes()) {
    if (cpu_class.name == name) chosen = cpu_class;
  }
  if (chosen.name == nullptr) GTEST_FAIL() << "FTRUN_TEST_CLASS='" << name << "': no such class";
  ftrun::kernels::set_tiled_kernels(&chosen.kernels);
  std::printf("tiled kernels: as on %s\n", chosen.name);
}

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
    if (const char* name = std::getenv("FTRUN_TEST_CLASS")) use_class(name);
  }
};

const ::testing::Environment* const kEnvironment = ::testing::AddGlobalTestEnvironment(new IsaEnvironment);

}  // namespace
