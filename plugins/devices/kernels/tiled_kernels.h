// The kernels that are built from a class's tiles (tiles.h), as a table: this CPU's own, or those a test puts in their
// place. Leaves out: which instruction set runs (isa.h).
#pragma once

#include "plugins/devices/kernels/attention.h"
#include "plugins/devices/kernels/gemm.h"

namespace ftrun::kernels {

struct TiledKernels {
  /// Products in f32; bf16 is widened in cache.
  void (*gemm_f32)(Context& ctx, const GemmCall& call);
  /// Products of bf16 pairs, for calls that suits_pairs takes. NULL: the class has none.
  void (*gemm_pairs)(Context& ctx, const GemmCall& call);
  void (*attention_forward)(Context& ctx, const AttentionCall& call, int64_t blocks);
  void (*attention_backward)(Context& ctx, const AttentionCall& call);
};

/// Those in force. [any-thread]
const TiledKernels& tiled_kernels() noexcept;
/// For tests: `kernels`, which stay alive, instead of the CPU's own; NULL restores these. [control-thread]
void set_tiled_kernels(const TiledKernels* kernels) noexcept;

/// Whether operands and K suit products of pairs: b bf16, a bf16 or allowed to be rounded, b's rows along k whole
/// pairs.
bool suits_pairs(const GemmCall& call);

// This CPU's own, by the instruction set in force.
void own_gemm_f32(Context& ctx, const GemmCall& call);
void own_gemm_pairs(Context& ctx, const GemmCall& call);
void own_attention_forward(Context& ctx, const AttentionCall& call, int64_t blocks);
void own_attention_backward(Context& ctx, const AttentionCall& call);

}  // namespace ftrun::kernels
