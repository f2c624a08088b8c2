// The flash-attention op, backward, and this CPU's own instantiation of it. Leaves out: the arithmetic
// (attention_backward-inl.h).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/attention_backward.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/attention_backward-inl.h"
#include "plugins/devices/kernels/op_table.h"
#include "plugins/devices/kernels/tiled_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

void attention_backward(Context& ctx, const AttentionCall& call) { attention_backward_with<OwnTiles>(ctx, call); }

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {

HWY_EXPORT(attention_backward);

using namespace reference;

FloatRows rows_like(const ftrun_view& view, const ftrun_view& model, const char* what) {
  require_float(view, what);
  require_contiguous(view, what);
  require_same_shape(view, model, what);
  return {bytes_of(view), view.dtype};
}

/// Each key row has one writer, so key ranges may not overlap.
void require_disjoint_keys(const AttentionCall& call) {
  int64_t end = 0;
  for (int64_t s = 0; s < call.n_segments; ++s) {
    require(call.key_begin(s) >= end, "segment " + std::to_string(s) + ": key ranges must ascend and be disjoint");
    end = call.key_begin(s) + call.key_length(s);
  }
}

}  // namespace

void own_attention_backward(Context& ctx, const AttentionCall& call) {
  HWY_DYNAMIC_DISPATCH(attention_backward)(ctx, call);
}

void op_flash_attention_backward(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 6, 6, 3);
  AttentionCall work = attention_call(call, 1);
  require_disjoint_keys(work);
  const ftrun_view &q = call.inputs[1], &k = call.inputs[2], &lse = call.inputs[5];
  work.dout = rows_like(call.inputs[0], q, "dout");
  work.out = rows_like(call.inputs[4], q, "out");
  work.dq = rows_like(call.outputs[0], q, "dq");
  work.dk = rows_like(call.outputs[1], k, "dk");
  work.dv = rows_like(call.outputs[2], k, "dv");
  require_dtype(lse, FTRUN_F32, "lse");
  require_contiguous(lse, "lse");
  require(element_count(lse) == work.heads * work.tokens, "lse must be [H, T], is " + view_text(lse));
  work.lse = elements_of<float>(lse);
  for (const FloatRows* rows : {&work.dk, &work.dv}) {
    std::memset(rows->data, 0, static_cast<size_t>(element_count(k)) * FTRUN_DTYPE_BYTES(rows->dtype));
  }
  tiled_kernels().attention_backward(ctx, work);
}

}  // namespace ftrun::kernels
#endif
