// Picks the Highway target for the process. Leaves out: the kernels, which dispatch on it.
#include "plugins/devices/kernels/isa.h"

#include <hwy/targets.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "plugins/devices/kernels/context.h"

namespace ftrun::kernels {
namespace {

struct Level {
  const char* name;
  int64_t targets;  // what is compiled for it and everything below
};

#if HWY_ARCH_X86
constexpr Level kLevels[] = {
    {"avx2", HWY_AVX2},
    {"avx512", HWY_AVX2 | HWY_AVX3},
    {"avx512_bf16", HWY_AVX2 | HWY_AVX3},
};
constexpr int kTop = 2;
constexpr const char* kChoices = "avx2, avx512 or avx512_bf16";
#else
constexpr Level kLevels[] = {{"neon", HWY_NEON}};
constexpr int kTop = 0;
constexpr const char* kChoices = "neon";
#endif

bool chosen_pairs = false;

// -1: below the lowest.
int level_of_cpu() {
  const int64_t targets = hwy::SupportedTargets();
#if HWY_ARCH_X86
  __builtin_cpu_init();
  if (targets & HWY_AVX3) return __builtin_cpu_supports("avx512bf16") ? 2 : 1;
  return targets & HWY_AVX2 ? 0 : -1;
#else
  return targets & HWY_NEON ? 0 : -1;
#endif
}

int level_of_name(const char* name) {
  for (int level = 0; level <= kTop; ++level) {
    if (std::strcmp(name, kLevels[level].name) == 0) return level;
  }
  throw KernelError(FTRUN_INVALID_ARGUMENT, std::string("FTRUN_CPU_ISA='") + name + "': expected " + kChoices +
                                                " (or unset it for the best one)");
}

}  // namespace

IsaChoice choose_isa(const char* requested) {
  const int asked = requested != nullptr && *requested != '\0' ? level_of_name(requested) : kTop;
  hwy::SetSupportedTargetsForTest(0);
  const int have = level_of_cpu();
  const int level = asked < have ? asked : have;
  IsaChoice choice{level < 0 ? "scalar" : kLevels[level].name, ""};
  if (requested != nullptr && *requested != '\0' && asked > have) {
    choice.notice = std::string("FTRUN_CPU_ISA=") + requested + " is more than this CPU has; using " + choice.name;
  }
  chosen_pairs = HWY_ARCH_X86 && level == kTop;
  const int64_t wanted = level < 0 ? HWY_SCALAR : kLevels[level].targets;
  hwy::SetSupportedTargetsForTest(wanted & hwy::SupportedTargets());
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  return choice;
}

bool has_bf16_pairs() noexcept { return chosen_pairs; }

IsaChoice choose_isa() {
  // Another rank's kernels may be running: what is in force is left alone.
  static std::mutex mutex;
  static std::optional<std::pair<std::string, IsaChoice>> applied;
  const char* requested = std::getenv("FTRUN_CPU_ISA");
  const std::string value = requested == nullptr ? "" : requested;
  const std::lock_guard lock(mutex);
  if (!applied || applied->first != value) applied.emplace(value, choose_isa(requested));
  return applied->second;
}

}  // namespace ftrun::kernels
