// Rotary position embedding, halves layout. Legend: T tokens, H heads, C head_dim.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/rope.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/simd-inl.h"

#ifndef FTRUN_KERNELS_ROPE_TYPES_
#define FTRUN_KERNELS_ROPE_TYPES_
#include <algorithm>
#include <cmath>

#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {
struct RopeCall {
  const void* x;
  ftrun_dtype x_dtype;
  void* y;
  ftrun_dtype y_dtype;
  const float *cos, *sin;
  int64_t tokens, heads, half;
  bool inverse;
};
}  // namespace ftrun::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

constexpr int64_t kMaxHalf = 512;

HWY_INLINE void rotate_token(const RopeCall& call, int64_t token) {
  const F32 d;
  float cos[kMaxHalf], sin[kMaxHalf], low[kMaxHalf], high[kMaxHalf];
  widen_span(call.cos + token * call.half, FTRUN_F32, call.half, cos);
  widen_span(call.sin + token * call.half, FTRUN_F32, call.half, sin);
  for (int64_t j = 0; call.inverse && j < call.half; j += kLanes) {
    hn::StoreU(hn::Neg(hn::LoadU(d, sin + j)), d, sin + j);
  }
  for (int64_t head = 0; head < call.heads; ++head) {
    const int64_t first = (token * call.heads + head) * 2 * call.half, second = first + call.half;
    widen_span(at(call.x, call.x_dtype, first), call.x_dtype, call.half, low);
    widen_span(at(call.x, call.x_dtype, second), call.x_dtype, call.half, high);
    for (int64_t j = 0; j < call.half; j += kLanes) {
      const VF c = hn::LoadU(d, cos + j), s = hn::LoadU(d, sin + j);
      const VF x1 = hn::LoadU(d, low + j), x2 = hn::LoadU(d, high + j);
      hn::StoreU(hn::NegMulAdd(x2, s, hn::Mul(x1, c)), d, low + j);
      hn::StoreU(hn::MulAdd(x1, s, hn::Mul(x2, c)), d, high + j);
    }
    narrow_span(low, call.y_dtype, call.half, at(call.y, call.y_dtype, first));
    narrow_span(high, call.y_dtype, call.half, at(call.y, call.y_dtype, second));
  }
}

void rotate(Context& ctx, const RopeCall& call) {
  const int64_t grain = HWY_MAX(int64_t{1}, 32768 / HWY_MAX(int64_t{1}, call.heads * 2 * call.half));
  ctx.parallel.ranges(call.tokens, grain, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) rotate_token(call, token);
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {
HWY_EXPORT(rotate);
constexpr int64_t kLargestHalf = 512;
}  // namespace

using namespace reference;

void op_rope(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 3, 3, 1);
  const ftrun_view &x = call.inputs[0], &cos = call.inputs[1], &sin = call.inputs[2], &y = call.outputs[0];
  require(x.ndim == 3 && x.shape[2] % 2 == 0 && x.shape[2] <= 2 * kLargestHalf,
          "x must be [T, H, C] with an even C of at most 1024, is " + view_text(x));
  require_float(x, "x");
  require_float(y, "y");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  require_same_shape(x, y, "x and y");
  for (const ftrun_view* table : {&cos, &sin}) {
    require_dtype(*table, FTRUN_F32, "cos and sin");
    require_contiguous(*table, "cos and sin");
    require(table->ndim == 2 && table->shape[0] == x.shape[0] && table->shape[1] * 2 == x.shape[2],
            "cos and sin must be [T, C/2], is " + view_text(*table) + " for x " + view_text(x));
  }
  const RopeCall work{bytes_of(x),
                      x.dtype,
                      bytes_of(y),
                      y.dtype,
                      elements_of<float>(cos),
                      elements_of<float>(sin),
                      x.shape[0],
                      x.shape[1],
                      x.shape[2] / 2,
                      attributes_of<ftrun_rope_attributes>(call).inverse != 0};
  HWY_DYNAMIC_DISPATCH(rotate)(ctx, work);
}

// Angles reach 1e5, beyond the range of the vector polynomials: libm.
void op_rope_table(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 2, 2, 2);
  const ftrun_view &positions = call.inputs[0], &inv_freq = call.inputs[1];
  require_dtype(positions, FTRUN_I32, "positions");
  require_dtype(inv_freq, FTRUN_F32, "inv_freq");
  require_contiguous(positions, "positions");
  require_contiguous(inv_freq, "inv_freq");
  const int64_t tokens = element_count(positions), half = element_count(inv_freq);
  for (int i = 0; i < 2; ++i) {
    require_dtype(call.outputs[i], FTRUN_F32, "cos and sin");
    require_contiguous(call.outputs[i], "cos and sin");
    require(element_count(call.outputs[i]) == tokens * half, "cos and sin must be [T, C/2]");
  }
  const float scaling = static_cast<float>(attributes_of<ftrun_rope_table_attributes>(call).scaling);
  float *cos = elements_of<float>(call.outputs[0]), *sin = elements_of<float>(call.outputs[1]);
  const int64_t grain = std::max<int64_t>(1, 4096 / std::max<int64_t>(1, half));
  ctx.parallel.ranges(tokens, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float position = static_cast<float>(elements_of<int32_t>(positions)[t]);
      for (int64_t i = 0; i < half; ++i) {
        const float angle = position * elements_of<float>(inv_freq)[i];
        cos[t * half + i] = std::cos(angle) * scaling;
        sin[t * half + i] = std::sin(angle) * scaling;
      }
    }
  });
}

}  // namespace ftrun::kernels
#endif
