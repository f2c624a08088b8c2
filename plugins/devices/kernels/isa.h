// Which instruction set the kernels use, and the cap FTRUN_CPU_ISA puts on it.
#pragma once

#include <string>

#include "ftrun/status.h"

namespace ftrun::kernels {

/// What was chosen: `name` is static; `notice` is a line for the log when less was available than asked for, or empty.
struct IsaChoice {
  const char* name;
  std::string notice;
};

/// Applies FTRUN_CPU_ISA (avx2 | avx512 | avx512_bf16; unset: the best there is) to the process's kernels. A cap above
/// what the CPU has is lowered with a notice; an unknown value throws KernelError(INVALID_ARGUMENT) naming the choices.
/// Idempotent. Today avx512_bf16 and avx512 select the same kernels: bf16 operands are widened to f32 in cache on every
/// CPU. [control-thread]
IsaChoice choose_isa();

/// As choose_isa for a given value; nullptr means unset.
IsaChoice choose_isa(const char* requested);

}  // namespace ftrun::kernels
