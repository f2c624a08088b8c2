// The matrix product by the kernels in force: which kind of products a call takes, and this CPU's own instantiations.
// Leaves out: the product itself (gemm_blocks-inl.h).
#include "plugins/devices/kernels/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/gemm.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/gemm_blocks-inl.h"
#include "plugins/devices/kernels/tiled_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

void gemm_f32(Context& ctx, const GemmCall& call) { gemm_with<OwnTiles, F32Products>(ctx, call); }
void gemm_pairs(Context& ctx, const GemmCall& call) {
#if HWY_TARGET == HWY_AVX3
  gemm_with<Avx512Bf16Tiles, Bf16Pairs<true>>(ctx, call);
#else
  gemm_f32(ctx, call);  // no CPU of this target has them: own_tiled_kernels offers none
#endif
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {
HWY_EXPORT(gemm_f32);
HWY_EXPORT(gemm_pairs);
}  // namespace

void own_gemm_f32(Context& ctx, const GemmCall& call) { HWY_DYNAMIC_DISPATCH(gemm_f32)(ctx, call); }
void own_gemm_pairs(Context& ctx, const GemmCall& call) { HWY_DYNAMIC_DISPATCH(gemm_pairs)(ctx, call); }

bool suits_pairs(const GemmCall& call) {
  const bool is_bf16 = call.b.dtype == FTRUN_BF16 && (call.a.dtype == FTRUN_BF16 || call.round_a);
  return is_bf16 && (!call.b.transposed || (call.k % 2 == 0 && call.b.row_stride % 2 == 0));
}

void gemm(Context& ctx, const GemmCall& call) {
  const TiledKernels& kernels = tiled_kernels();
  (kernels.gemm_pairs != nullptr && suits_pairs(call) ? kernels.gemm_pairs : kernels.gemm_f32)(ctx, call);
}
}  // namespace ftrun::kernels
#endif
