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
/// Idempotent: while the value stays, later calls change nothing. avx512_bf16 differs from avx512 in has_bf16_pairs().
/// [any-thread]
IsaChoice choose_isa();

/// Whether products of bf16 pairs (vdpbf16ps: two products and sums per lane and instruction) are in force; otherwise
/// bf16 is widened to f32 in cache. Set by choose_isa. [any-thread]
bool has_bf16_pairs() noexcept;

/// As choose_isa for a given value, applied at every call; nullptr means unset. [control-thread]
IsaChoice choose_isa(const char* requested);

}  // namespace ftrun::kernels
