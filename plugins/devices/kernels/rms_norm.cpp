// RMS norm and its gradient, alone and with the residual's sum before it. Legend: rows R (all axes but the last), D
// features.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/rms_norm.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/simd-inl.h"

#ifndef FTRUN_KERNELS_RMS_NORM_TYPES_
#define FTRUN_KERNELS_RMS_NORM_TYPES_
#include <algorithm>
#include <cmath>

#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {
struct NormCall {
  const void *dy, *x, *weight;
  ftrun_dtype dy_dtype, x_dtype, weight_dtype;
  const void *residual, *delta;  ///< forward: summed into x before the norm; NULL: x is there already
  ftrun_dtype residual_dtype, delta_dtype;
  const void* dsum;  ///< backward: what else flows into x, NULL for nothing
  ftrun_dtype dsum_dtype;
  float* rstd;
  void* y;  ///< forward: y; backward: dx, may be NULL
  ftrun_dtype y_dtype;
  void* dweight;  ///< backward only, may be NULL
  ftrun_dtype dweight_dtype;
  bool accumulate;
  int64_t rows, columns;
  float eps;
};
}  // namespace ftrun::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

/// Rounds to x's type, as transformers does before the product with the weight.
HWY_INLINE VF rounded_to(ftrun_dtype dtype, VF value) {
  if (dtype == FTRUN_F32) return value;
  return hn::BitCast(F32(), hn::ShiftLeft<16>(bf16_bits(value)));
}

HWY_INLINE void add_row(const NormCall& call, int64_t row) {
  const F32 d;
  float residual_block[kBlock], delta_block[kBlock], out[kBlock];
  for (int64_t i = 0; i < call.columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, call.columns - i), index = row * call.columns + i;
    const float* residual = span(call.residual, call.residual_dtype, index, count, residual_block);
    const float* delta = span(call.delta, call.delta_dtype, index, count, delta_block);
    for (int64_t j = 0; j < count; j += kLanes) {
      hn::StoreU(hn::Add(hn::LoadU(d, residual + j), hn::LoadU(d, delta + j)), d, out + j);
    }
    narrow_span(out, call.x_dtype, count, at(const_cast<void*>(call.x), call.x_dtype, index));
  }
}

HWY_INLINE void norm_row(const NormCall& call, int64_t row) {
  const F32 d;
  float block[kBlock], weight_block[kBlock], out[kBlock];
  VF sum = hn::Zero(d);
  for (int64_t i = 0; i < call.columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, call.columns - i);
    const float* x = span(call.x, call.x_dtype, row * call.columns + i, count, block);
    for (int64_t j = 0; j < count; j += kLanes) sum = hn::MulAdd(hn::LoadU(d, x + j), hn::LoadU(d, x + j), sum);
  }
  const float rstd = 1.0f / std::sqrt(sum_lanes(sum) / static_cast<float>(call.columns) + call.eps);
  call.rstd[row] = rstd;
  for (int64_t i = 0; i < call.columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, call.columns - i);
    const float* x = span(call.x, call.x_dtype, row * call.columns + i, count, block);
    const float* w = span(call.weight, call.weight_dtype, i, count, weight_block);
    for (int64_t j = 0; j < count; j += kLanes) {
      const VF unit = rounded_to(call.x_dtype, hn::Mul(hn::LoadU(d, x + j), hn::Set(d, rstd)));
      hn::StoreU(hn::Mul(unit, hn::LoadU(d, w + j)), d, out + j);
    }
    narrow_span(out, call.y_dtype, count, at(call.y, call.y_dtype, row * call.columns + i));
  }
}

void norm_forward(Context& ctx, const NormCall& call) {
  const int64_t grain = HWY_MAX(int64_t{1}, 32768 / HWY_MAX(int64_t{1}, call.columns));
  ctx.parallel.ranges(call.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      if (call.residual != nullptr) add_row(call, row);
      norm_row(call, row);
    }
  });
}

/// dx = rstd (dy w - x rstd^2 mean(dy w x)) [+ dsum]
HWY_INLINE void norm_backward_row(const NormCall& call, int64_t row) {
  const F32 d;
  float x_block[kBlock], dy_block[kBlock], weight_block[kBlock], out[kBlock];
  VF dot = hn::Zero(d);
  for (int64_t i = 0; i < call.columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, call.columns - i);
    const float* x = span(call.x, call.x_dtype, row * call.columns + i, count, x_block);
    const float* dy = span(call.dy, call.dy_dtype, row * call.columns + i, count, dy_block);
    const float* w = span(call.weight, call.weight_dtype, i, count, weight_block);
    for (int64_t j = 0; j < count; j += kLanes) {
      dot = hn::MulAdd(hn::Mul(hn::LoadU(d, dy + j), hn::LoadU(d, w + j)), hn::LoadU(d, x + j), dot);
    }
  }
  const float rstd = call.rstd[row];
  const VF scale = hn::Set(d, rstd);
  const VF pull = hn::Set(d, rstd * rstd * (sum_lanes(dot) / static_cast<float>(call.columns)));
  for (int64_t i = 0; i < call.columns; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, call.columns - i);
    const float* x = span(call.x, call.x_dtype, row * call.columns + i, count, x_block);
    const float* dy = span(call.dy, call.dy_dtype, row * call.columns + i, count, dy_block);
    const float* w = span(call.weight, call.weight_dtype, i, count, weight_block);
    for (int64_t j = 0; j < count; j += kLanes) {
      const VF dyw = hn::Mul(hn::LoadU(d, dy + j), hn::LoadU(d, w + j));
      hn::StoreU(hn::Mul(scale, hn::NegMulAdd(hn::LoadU(d, x + j), pull, dyw)), d, out + j);
    }
    if (call.dsum != nullptr) {
      const float* dsum = span(call.dsum, call.dsum_dtype, row * call.columns + i, count, x_block);
      for (int64_t j = 0; j < count; j += kLanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, out + j), hn::LoadU(d, dsum + j)), d, out + j);
      }
    }
    narrow_span(out, call.y_dtype, count, at(call.y, call.y_dtype, row * call.columns + i));
  }
}

/// dweight[columns] = sum over rows, in row order, of dy * rounded(x rstd).
HWY_INLINE void weight_gradient(const NormCall& call, int64_t begin, int64_t count) {
  const F32 d;
  constexpr int64_t kColumns = 64;
  float sums[kColumns] = {}, x_block[kColumns], dy_block[kColumns];
  for (int64_t row = 0; row < call.rows; ++row) {
    const float* x = span(call.x, call.x_dtype, row * call.columns + begin, count, x_block);
    const float* dy = span(call.dy, call.dy_dtype, row * call.columns + begin, count, dy_block);
    const VF rstd = hn::Set(d, call.rstd[row]);
    for (int64_t j = 0; j < count; j += kLanes) {
      const VF unit = rounded_to(call.x_dtype, hn::Mul(hn::LoadU(d, x + j), rstd));
      hn::StoreU(hn::MulAdd(hn::LoadU(d, dy + j), unit, hn::LoadU(d, sums + j)), d, sums + j);
    }
  }
  char* out = at(call.dweight, call.dweight_dtype, begin);
  if (call.accumulate) {
    widen_span(out, call.dweight_dtype, count, x_block);
    for (int64_t j = 0; j < count; j += kLanes) {
      hn::StoreU(hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, x_block + j)), d, sums + j);
    }
  }
  narrow_span(sums, call.dweight_dtype, count, out);
}

void norm_backward(Context& ctx, const NormCall& call) {
  if (call.dweight != nullptr) {
    ctx.parallel.ranges(call.columns, 64,
                        [&](int64_t begin, int64_t end) { weight_gradient(call, begin, end - begin); });
  }
  if (call.y == nullptr) return;
  const int64_t grain = HWY_MAX(int64_t{1}, 32768 / HWY_MAX(int64_t{1}, call.columns));
  ctx.parallel.ranges(call.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) norm_backward_row(call, row);
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {

HWY_EXPORT(norm_forward);
HWY_EXPORT(norm_backward);

using namespace reference;

void require_rows(const ftrun_view& view, const ftrun_view& x, const char* what) {
  require_float(view, what);
  require_contiguous(view, what);
  require_same_shape(view, x, what);
}
void require_weight(const ftrun_view& view, const ftrun_view& x, const char* what) {
  require_float(view, what);
  require_contiguous(view, what);
  require(element_count(view) == last_size(x), std::string(what) + " must have D elements, is " + view_text(view));
}
void require_rstd(const ftrun_view& view, const ftrun_view& x) {
  require_dtype(view, FTRUN_F32, "rstd");
  require_contiguous(view, "rstd");
  require(element_count(view) == row_count(x), "rstd must have one element per row, is " + view_text(view));
}

NormCall forward_call(const ftrun_op_call& call, const ftrun_view& x, const ftrun_view& weight, const ftrun_view& y,
                      const ftrun_view& rstd) {
  require(x.ndim >= 1, "x must have at least one axis");
  require_rows(x, x, "x");
  require_rows(y, x, "y");
  require_weight(weight, x, "weight");
  require_rstd(rstd, x);
  NormCall work{};
  work.x = bytes_of(x);
  work.x_dtype = x.dtype;
  work.weight = bytes_of(weight);
  work.weight_dtype = weight.dtype;
  work.rstd = elements_of<float>(rstd);
  work.y = bytes_of(y);
  work.y_dtype = y.dtype;
  work.rows = row_count(x);
  work.columns = last_size(x);
  work.eps = static_cast<float>(attributes_of<ftrun_rms_norm_attributes>(call).eps);
  return work;
}

/// `inputs`: dy, x, weight, rstd.
NormCall backward_call(const ftrun_op_call& call, const ftrun_view* inputs) {
  const ftrun_view &dy = inputs[0], &x = inputs[1], &weight = inputs[2], &rstd = inputs[3];
  const ftrun_view &dx = call.outputs[0], &dweight = call.outputs[1];
  require(x.ndim >= 1, "x must have at least one axis");
  require_rows(x, x, "x");
  require_rows(dy, x, "dy");
  require_weight(weight, x, "weight");
  require_rstd(rstd, x);
  NormCall work{};
  if (dx.data != nullptr) {
    require_rows(dx, x, "dx");
    work.y = bytes_of(dx);
    work.y_dtype = dx.dtype;
  }
  if (dweight.data != nullptr) {
    require_weight(dweight, x, "dweight");
    work.dweight = bytes_of(dweight);
    work.dweight_dtype = dweight.dtype;
  }
  work.dy = bytes_of(dy);
  work.dy_dtype = dy.dtype;
  work.x = bytes_of(x);
  work.x_dtype = x.dtype;
  work.weight = bytes_of(weight);
  work.weight_dtype = weight.dtype;
  work.rstd = elements_of<float>(rstd);
  work.rows = row_count(x);
  work.columns = last_size(x);
  work.accumulate = attributes_of<ftrun_rms_norm_attributes>(call).accumulate != 0;
  return work;
}

}  // namespace

void op_rms_norm(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 2, 2, 2);
  NormCall work = forward_call(call, call.inputs[0], call.inputs[1], call.outputs[0], call.outputs[1]);
  HWY_DYNAMIC_DISPATCH(norm_forward)(ctx, work);
}

void op_add_rms_norm(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 3, 3, 3);
  const ftrun_view &residual = call.inputs[0], &delta = call.inputs[1], &sum = call.outputs[0];
  NormCall work = forward_call(call, sum, call.inputs[2], call.outputs[1], call.outputs[2]);
  require_rows(residual, sum, "x");
  require_rows(delta, sum, "delta");
  require(sum.dtype == residual.dtype, "sum must have x's dtype, is " + view_text(sum));
  work.residual = bytes_of(residual);
  work.residual_dtype = residual.dtype;
  work.delta = bytes_of(delta);
  work.delta_dtype = delta.dtype;
  HWY_DYNAMIC_DISPATCH(norm_forward)(ctx, work);
}

void op_rms_norm_backward(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 4, 4, 2);
  const NormCall work = backward_call(call, call.inputs);
  HWY_DYNAMIC_DISPATCH(norm_backward)(ctx, work);
}

void op_add_rms_norm_backward(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 5, 5, 2);
  NormCall work = backward_call(call, call.inputs + 1);
  const ftrun_view &dsum = call.inputs[0], &sum = call.inputs[2];
  require_rows(dsum, sum, "dsum");
  work.dsum = bytes_of(dsum);
  work.dsum_dtype = dsum.dtype;
  HWY_DYNAMIC_DISPATCH(norm_backward)(ctx, work);
}

}  // namespace ftrun::kernels
#endif
