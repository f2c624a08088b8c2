// The flash-attention op, forward, and this CPU's own instantiation of it. Leaves out: the arithmetic
// (attention_forward-inl.h).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/attention_forward.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/attention_forward-inl.h"
#include "plugins/devices/kernels/op_table.h"
#include "plugins/devices/kernels/tiled_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

void attention_forward(Context& ctx, const AttentionCall& call, int64_t blocks) {
  attention_forward_with<OwnTiles>(ctx, call, blocks);
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {
HWY_EXPORT(attention_forward);
}  // namespace

using namespace reference;

void op_flash_attention(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 3, 3, 2);
  AttentionCall work = attention_call(call, 0);
  const ftrun_view &out = call.outputs[0], &lse = call.outputs[1];
  require_float(out, "out");
  require_contiguous(out, "out");
  require_same_shape(out, call.inputs[0], "out and q");
  require_dtype(lse, FTRUN_F32, "lse");
  require_contiguous(lse, "lse");
  require(lse.ndim == 2 && lse.shape[0] == work.heads && lse.shape[1] == work.tokens,
          "lse must be [H, T], is " + view_text(lse));
  work.out = {bytes_of(out), out.dtype};
  work.lse = elements_of<float>(lse);
  run_attention_forward(ctx, work);
}

void own_attention_forward(Context& ctx, const AttentionCall& call, int64_t blocks) {
  HWY_DYNAMIC_DISPATCH(attention_forward)(ctx, call, blocks);
}

void run_attention_forward(Context& ctx, AttentionCall& call) {
  const int64_t blocks = split_blocks(ctx, call);
  tiled_kernels().attention_forward(ctx, call, blocks);
}

}  // namespace ftrun::kernels
#endif
