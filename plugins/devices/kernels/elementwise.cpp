// Elementwise ops: blocks of 1,024 elements are widened to f32 in L1, computed and rounded once. Includes swiglu and
// adamw.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/elementwise.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/simd-inl.h"

#ifndef FTRUN_KERNELS_ELEMENTWISE_TYPES_
#define FTRUN_KERNELS_ELEMENTWISE_TYPES_
#include <algorithm>
#include <cmath>

#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {

enum class Unary {
  kNeg,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,
  kSquare,
  kReciprocal,
  kSigmoid,
  kLogSigmoid,
  kSilu,
  kRelu,
  kTanh,
  kAbs,
  kSin,
  kCos,
  kAffine,
  kClamp
};
enum class Binary { kAdd, kSub, kMul, kDiv, kMaximum, kMinimum, kGreaterEqual };

/// Elements per task: enough to pay for the hand-over.
constexpr int64_t kGrain = 32768;

struct UnaryCall {
  Unary function;
  const void* x;
  ftrun_dtype x_dtype;
  void* y;
  ftrun_dtype y_dtype;
  int64_t count;
  float p, q;
};
struct BinaryCall {
  Binary function;
  const void *a, *b;
  ftrun_dtype a_dtype, b_dtype;
  void* y;
  ftrun_dtype y_dtype;
  int64_t rows, columns;
  reference::Broadcast broadcast;
};
/// Up to four inputs and four outputs of one length.
struct SpanCall {
  const void* in[4];
  ftrun_dtype in_dtype[4];
  void* out[4];
  ftrun_dtype out_dtype[4];
  int64_t count;
};
struct AdamwConstants {
  float grad_scale, decay, beta1, beta2, one_minus_beta1, one_minus_beta2, step_size, inverse_sqrt_correction2, eps;
};

}  // namespace ftrun::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

template <Unary kFunction>
HWY_INLINE VF apply(VF x, VF p, VF q) {
  const F32 d;
  const VF one = hn::Set(d, 1.0f);
  switch (kFunction) {
    case Unary::kNeg:
      return hn::Neg(x);
    case Unary::kExp:
      return exp_of(x);
    case Unary::kLog:
      return log_of(x);
    case Unary::kSqrt:
      return hn::Sqrt(x);
    case Unary::kRsqrt:
      return hn::Div(one, hn::Sqrt(x));
    case Unary::kSquare:
      return hn::Mul(x, x);
    case Unary::kReciprocal:
      return hn::Div(one, x);
    case Unary::kSigmoid:
      return sigmoid_of(x);
    case Unary::kLogSigmoid:
      return hn::IfThenElse(hn::IsNaN(x), x,
                            hn::Sub(hn::Min(x, hn::Zero(d)), hn::Log1p(d, exp_of(hn::Neg(hn::Abs(x))))));
    case Unary::kSilu:
      return hn::Mul(x, sigmoid_of(x));
    case Unary::kRelu:
      return max_of(x, hn::Zero(d));
    case Unary::kTanh: {
      // Beyond 10 the result is +-1 in f32; the polynomial overflows later.
      const VF bounded = hn::Max(hn::Set(d, -10.0f), hn::Min(x, hn::Set(d, 10.0f)));
      return hn::IfThenElse(hn::IsNaN(x), x, hn::Tanh(d, bounded));
    }
    case Unary::kAbs:
      return hn::Abs(x);
    case Unary::kAffine:
      return hn::MulAdd(p, x, q);
    case Unary::kClamp:
      return min_of(max_of(x, p), q);
    default:
      return x;
  }
}

template <Unary kFunction>
void unary_range(const UnaryCall& call, int64_t begin, int64_t end) {
  const F32 d;
  const VF p = hn::Set(d, call.p), q = hn::Set(d, call.q);
  float x_block[kBlock], y_block[kBlock];
  for (int64_t i = begin; i < end; i += kBlock) {
    const int64_t count = HWY_MIN(kBlock, end - i);
    const float* x = span(call.x, call.x_dtype, i, count, x_block);
    for (int64_t j = 0; j < count; j += kLanes) {
      hn::StoreU(apply<kFunction>(hn::LoadU(d, x + j), p, q), d, y_block + j);
    }
    narrow_span(y_block, call.y_dtype, count, at(call.y, call.y_dtype, i));
  }
}

// Arguments reach 1e5 (positions), beyond the range of the vector polynomials.
template <Unary kFunction>
void scalar_range(const UnaryCall& call, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const float x = reference::load_float(static_cast<const char*>(call.x), call.x_dtype, i);
    reference::store_float(static_cast<char*>(call.y), call.y_dtype, i,
                           kFunction == Unary::kSin ? std::sin(x) : std::cos(x));
  }
}

void unary_op(Context& ctx, const UnaryCall& call) {
  void (*range)(const UnaryCall&, int64_t, int64_t) = nullptr;
  switch (call.function) {
#define FTRUN_UNARY(name)             \
  case Unary::name:                   \
    range = unary_range<Unary::name>; \
    break;
    FTRUN_UNARY(kNeg)
    FTRUN_UNARY(kExp)
    FTRUN_UNARY(kLog)
    FTRUN_UNARY(kSqrt)
    FTRUN_UNARY(kRsqrt)
    FTRUN_UNARY(kSquare)
    FTRUN_UNARY(kReciprocal)
    FTRUN_UNARY(kSigmoid)
    FTRUN_UNARY(kLogSigmoid)
    FTRUN_UNARY(kSilu)
    FTRUN_UNARY(kRelu)
    FTRUN_UNARY(kTanh)
    FTRUN_UNARY(kAbs)
    FTRUN_UNARY(kAffine)
    FTRUN_UNARY(kClamp)
#undef FTRUN_UNARY
    case Unary::kSin:
      range = scalar_range<Unary::kSin>;
      break;
    case Unary::kCos:
      range = scalar_range<Unary::kCos>;
      break;
  }
  ctx.parallel.ranges(call.count, kGrain, [&](int64_t begin, int64_t end) { range(call, begin, end); });
}

template <Binary kFunction>
HWY_INLINE VF apply(VF a, VF b) {
  const F32 d;
  switch (kFunction) {
    case Binary::kAdd:
      return hn::Add(a, b);
    case Binary::kSub:
      return hn::Sub(a, b);
    case Binary::kMul:
      return hn::Mul(a, b);
    case Binary::kDiv:
      return hn::Div(a, b);
    case Binary::kMaximum:
      return max_of(a, b);
    case Binary::kMinimum:
      return min_of(a, b);
    default:
      return hn::IfThenElse(hn::Ge(a, b), hn::Set(d, 1.0f), hn::Zero(d));
  }
}

/// `count` elements of a and y from `a_index`, of b from `b_index` (b_index alone when b is one value per call).
template <Binary kFunction>
HWY_INLINE void binary_span(const BinaryCall& call, int64_t a_index, int64_t b_index, int64_t count, bool one_b) {
  const F32 d;
  float a_block[kBlock], b_block[kBlock], y_block[kBlock];
  const VF b_value = hn::Set(d, reference::load_float(static_cast<const char*>(call.b), call.b_dtype, b_index));
  for (int64_t i = 0; i < count; i += kBlock) {
    const int64_t n = HWY_MIN(kBlock, count - i);
    const float* a = span(call.a, call.a_dtype, a_index + i, n, a_block);
    if (one_b) {
      for (int64_t j = 0; j < n; j += kLanes)
        hn::StoreU(apply<kFunction>(hn::LoadU(d, a + j), b_value), d, y_block + j);
    } else {
      const float* b = span(call.b, call.b_dtype, b_index + i, n, b_block);
      for (int64_t j = 0; j < n; j += kLanes) {
        hn::StoreU(apply<kFunction>(hn::LoadU(d, a + j), hn::LoadU(d, b + j)), d, y_block + j);
      }
    }
    narrow_span(y_block, call.y_dtype, n, at(call.y, call.y_dtype, a_index + i));
  }
}

template <Binary kFunction>
void binary_ranges(Context& ctx, const BinaryCall& call) {
  using reference::Broadcast;
  if (call.broadcast == Broadcast::kSame || call.broadcast == Broadcast::kScalar) {
    const bool one_b = call.broadcast == Broadcast::kScalar;
    ctx.parallel.ranges(call.rows * call.columns, kGrain, [&](int64_t begin, int64_t end) {
      binary_span<kFunction>(call, begin, one_b ? 0 : begin, end - begin, one_b);
    });
    return;
  }
  const bool one_b = call.broadcast == Broadcast::kColumn;
  const int64_t grain = HWY_MAX(int64_t{1}, kGrain / HWY_MAX(int64_t{1}, call.columns));
  ctx.parallel.ranges(call.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      binary_span<kFunction>(call, row * call.columns, one_b ? row : 0, call.columns, one_b);
    }
  });
}

void binary_op(Context& ctx, const BinaryCall& call) {
  switch (call.function) {
    case Binary::kAdd:
      return binary_ranges<Binary::kAdd>(ctx, call);
    case Binary::kSub:
      return binary_ranges<Binary::kSub>(ctx, call);
    case Binary::kMul:
      return binary_ranges<Binary::kMul>(ctx, call);
    case Binary::kDiv:
      return binary_ranges<Binary::kDiv>(ctx, call);
    case Binary::kMaximum:
      return binary_ranges<Binary::kMaximum>(ctx, call);
    case Binary::kMinimum:
      return binary_ranges<Binary::kMinimum>(ctx, call);
    case Binary::kGreaterEqual:
      return binary_ranges<Binary::kGreaterEqual>(ctx, call);
  }
}

/// Runs body(vectors in[kIn], vectors out[kOut]) over spans of equal length.
template <int kIn, int kOut, class Body>
HWY_INLINE void for_spans(Context& ctx, const SpanCall& call, const Body& body) {
  ctx.parallel.ranges(call.count, kGrain, [&](int64_t begin, int64_t end) {
    const F32 d;
    float in_block[kIn][kBlock], out_block[kOut][kBlock];
    for (int64_t i = begin; i < end; i += kBlock) {
      const int64_t count = HWY_MIN(kBlock, end - i);
      const float* in[kIn];
      for (int s = 0; s < kIn; ++s) in[s] = span(call.in[s], call.in_dtype[s], i, count, in_block[s]);
      for (int64_t j = 0; j < count; j += kLanes) {
        VF x[kIn], y[kOut];
        for (int s = 0; s < kIn; ++s) x[s] = hn::LoadU(d, in[s] + j);
        body(x, y);
        for (int s = 0; s < kOut; ++s) hn::StoreU(y[s], d, out_block[s] + j);
      }
      for (int s = 0; s < kOut; ++s) {
        if (call.out[s]) narrow_span(out_block[s], call.out_dtype[s], count, at(call.out[s], call.out_dtype[s], i));
      }
    }
  });
}

void axpy_spans(Context& ctx, const SpanCall& call, float alpha) {
  const VF a = hn::Set(F32(), alpha);
  for_spans<2, 1>(ctx, call, [a](const VF* x, VF* y) { y[0] = hn::MulAdd(a, x[0], x[1]); });
}

void select_spans(Context& ctx, const SpanCall& call) {
  for_spans<3, 1>(ctx, call,
                  [](const VF* x, VF* y) { y[0] = hn::IfThenElse(hn::Ne(x[0], hn::Zero(F32())), x[1], x[2]); });
}

void swiglu_spans(Context& ctx, const SpanCall& call) {
  for_spans<2, 1>(ctx, call, [](const VF* x, VF* y) { y[0] = hn::Mul(hn::Mul(x[0], sigmoid_of(x[0])), x[1]); });
}

void swiglu_backward_spans(Context& ctx, const SpanCall& call) {
  for_spans<3, 2>(ctx, call, [](const VF* x, VF* y) {
    const VF one = hn::Set(F32(), 1.0f);
    const VF s = sigmoid_of(x[1]);
    const VF silu = hn::Mul(x[1], s);
    // d silu / dx = s + silu (1 - s)
    y[0] = hn::Mul(hn::Mul(x[0], x[2]), hn::MulAdd(silu, hn::Sub(one, s), s));
    y[1] = hn::Mul(x[0], silu);
  });
}

void adamw_spans(Context& ctx, const SpanCall& call, const AdamwConstants& k) {
  for_spans<4, 4>(ctx, call, [&k](const VF* x, VF* y) {
    const F32 d;
    const VF g = hn::Mul(x[0], hn::Set(d, k.grad_scale));
    const VF m = hn::MulAdd(hn::Set(d, k.beta1), x[2], hn::Mul(hn::Set(d, k.one_minus_beta1), g));
    const VF v = hn::MulAdd(hn::Set(d, k.beta2), x[3], hn::Mul(hn::Set(d, k.one_minus_beta2), hn::Mul(g, g)));
    const VF denominator = hn::MulAdd(hn::Sqrt(v), hn::Set(d, k.inverse_sqrt_correction2), hn::Set(d, k.eps));
    const VF decayed = hn::Mul(x[1], hn::Set(d, k.decay));
    y[0] = hn::NegMulAdd(hn::Set(d, k.step_size), hn::Div(m, denominator), decayed);
    y[1] = m;
    y[2] = v;
    y[3] = y[0];
  });
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ftrun::kernels {
namespace {

HWY_EXPORT(unary_op);
HWY_EXPORT(binary_op);
HWY_EXPORT(axpy_spans);
HWY_EXPORT(select_spans);
HWY_EXPORT(swiglu_spans);
HWY_EXPORT(swiglu_backward_spans);
HWY_EXPORT(adamw_spans);

using namespace reference;

void unary(Context& ctx, const ftrun_op_call& call, Unary function, float p = 0, float q = 0) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(x, "x");
  require_float(y, "y");
  require_same_shape(x, y, "x and y");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  const UnaryCall work{function, bytes_of(x), x.dtype, bytes_of(y), y.dtype, element_count(x), p, q};
  HWY_DYNAMIC_DISPATCH(unary_op)(ctx, work);
}

void binary(Context& ctx, const ftrun_op_call& call, Binary function) {
  require_arity(call, 2, 2, 1);
  const ftrun_view &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  for (const ftrun_view* view : {&a, &b, &y}) {
    require_float(*view, "operand");
    require_contiguous(*view, "operand");
  }
  require_same_shape(a, y, "a and y");
  const Broadcast broadcast = broadcast_of(a, b);
  if (element_count(a) == 0) return;
  const BinaryCall work{function,    bytes_of(a), bytes_of(b),  a.dtype,      b.dtype,
                        bytes_of(y), y.dtype,     row_count(a), last_size(a), broadcast};
  HWY_DYNAMIC_DISPATCH(binary_op)(ctx, work);
}

/// Fills a SpanCall from contiguous float operands of one element count; absent outputs have data NULL.
SpanCall span_call(const ftrun_op_call& call) {
  SpanCall work{};
  work.count = element_count(call.inputs[0]);
  for (int32_t i = 0; i < call.n_inputs + call.n_outputs; ++i) {
    const bool is_input = i < call.n_inputs;
    const ftrun_view& view = is_input ? call.inputs[i] : call.outputs[i - call.n_inputs];
    if (!is_input && view.data == nullptr) continue;
    require_float(view, "operand");
    require_contiguous(view, "operand");
    require(element_count(view) == work.count,
            "operands must have the same number of elements: " + view_text(call.inputs[0]) + " and " + view_text(view));
    (is_input ? work.in_dtype[i] : work.out_dtype[i - call.n_inputs]) = view.dtype;
    if (is_input) {
      work.in[i] = bytes_of(view);
    } else {
      work.out[i - call.n_inputs] = bytes_of(view);
    }
  }
  return work;
}

}  // namespace

#define FTRUN_BINARY_OP(name, function) \
  void name(Context& ctx, const ftrun_op_call& call) { binary(ctx, call, Binary::function); }
FTRUN_BINARY_OP(op_add, kAdd)
FTRUN_BINARY_OP(op_sub, kSub)
FTRUN_BINARY_OP(op_mul, kMul)
FTRUN_BINARY_OP(op_div, kDiv)
FTRUN_BINARY_OP(op_maximum, kMaximum)
FTRUN_BINARY_OP(op_minimum, kMinimum)
FTRUN_BINARY_OP(op_greater_equal, kGreaterEqual)
#undef FTRUN_BINARY_OP

#define FTRUN_UNARY_OP(name, function) \
  void name(Context& ctx, const ftrun_op_call& call) { unary(ctx, call, Unary::function); }
FTRUN_UNARY_OP(op_neg, kNeg)
FTRUN_UNARY_OP(op_exp, kExp)
FTRUN_UNARY_OP(op_log, kLog)
FTRUN_UNARY_OP(op_sqrt, kSqrt)
FTRUN_UNARY_OP(op_rsqrt, kRsqrt)
FTRUN_UNARY_OP(op_square, kSquare)
FTRUN_UNARY_OP(op_reciprocal, kReciprocal)
FTRUN_UNARY_OP(op_sigmoid, kSigmoid)
FTRUN_UNARY_OP(op_log_sigmoid, kLogSigmoid)
FTRUN_UNARY_OP(op_silu, kSilu)
FTRUN_UNARY_OP(op_relu, kRelu)
FTRUN_UNARY_OP(op_tanh, kTanh)
FTRUN_UNARY_OP(op_abs, kAbs)
FTRUN_UNARY_OP(op_sin, kSin)
FTRUN_UNARY_OP(op_cos, kCos)
#undef FTRUN_UNARY_OP

void op_affine(Context& ctx, const ftrun_op_call& call) {
  const auto& attributes = attributes_of<ftrun_affine_attributes>(call);
  unary(ctx, call, Unary::kAffine, static_cast<float>(attributes.alpha), static_cast<float>(attributes.beta));
}

void op_clamp(Context& ctx, const ftrun_op_call& call) {
  const auto& attributes = attributes_of<ftrun_clamp_attributes>(call);
  unary(ctx, call, Unary::kClamp, static_cast<float>(attributes.low), static_cast<float>(attributes.high));
}

void op_axpy(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const float alpha = static_cast<float>(attributes_of<ftrun_affine_attributes>(call).alpha);
  require(bytes_of(call.inputs[1]) == bytes_of(call.outputs[0]) && call.inputs[1].dtype == call.outputs[0].dtype,
          "y must be y0's view");
  const SpanCall work = span_call(call);
  HWY_DYNAMIC_DISPATCH(axpy_spans)(ctx, work, alpha);
}

void op_select(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 3, 3, 1);
  const SpanCall work = span_call(call);
  HWY_DYNAMIC_DISPATCH(select_spans)(ctx, work);
}

void op_swiglu(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const SpanCall work = span_call(call);
  HWY_DYNAMIC_DISPATCH(swiglu_spans)(ctx, work);
}

void op_swiglu_backward(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 3, 3, 2);
  const SpanCall work = span_call(call);
  HWY_DYNAMIC_DISPATCH(swiglu_backward_spans)(ctx, work);
}

// Inputs (grad, master, m, v), outputs (master, m, v, param): the spans' order is the op's.
void op_adamw(Context& ctx, const ftrun_op_call& call) {
  require(call.n_inputs == 4 && (call.n_outputs == 3 || call.n_outputs == 4),
          "takes grad, master, m, v and gives master, m, v and, where it is another tensor, param");
  for (int i = 1; i < 4; ++i) {
    require_dtype(call.inputs[i], FTRUN_F32, "master, m and v");
    require(bytes_of(call.inputs[i]) == bytes_of(call.outputs[i - 1]) && call.outputs[i - 1].dtype == FTRUN_F32,
            "master, m and v are updated in place: outputs must be the inputs' views");
  }
  const auto& a = attributes_of<ftrun_adamw_attributes>(call);
  const AdamwConstants constants{static_cast<float>(a.grad_scale),
                                 static_cast<float>(1.0 - a.learning_rate * a.weight_decay),
                                 static_cast<float>(a.beta1),
                                 static_cast<float>(a.beta2),
                                 static_cast<float>(1.0 - a.beta1),
                                 static_cast<float>(1.0 - a.beta2),
                                 static_cast<float>(a.learning_rate / a.bias_correction1),
                                 static_cast<float>(1.0 / std::sqrt(a.bias_correction2)),
                                 static_cast<float>(a.eps)};
  const SpanCall work = span_call(call);
  HWY_DYNAMIC_DISPATCH(adamw_spans)(ctx, work, constants);
}

void op_fill(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 0, 0, 1);
  const double value = attributes_of<ftrun_fill_attributes>(call).value;
  const ftrun_view& y = call.outputs[0];
  const int64_t size = static_cast<int64_t>(FTRUN_DTYPE_BYTES(y.dtype));
  char pattern[8];
  store_double(pattern, y.dtype, 0, value);
  if (!is_contiguous(y)) return reference::op_fill(call);
  bool uniform = true;
  for (int64_t i = 1; i < size; ++i) uniform = uniform && pattern[i] == pattern[0];
  ctx.parallel.ranges(element_count(y), 4 * kGrain, [&](int64_t begin, int64_t end) {
    char* out = bytes_of(y) + begin * size;
    const size_t bytes = static_cast<size_t>((end - begin) * size);
    if (uniform) {
      std::memset(out, pattern[0], bytes);
      return;
    }
    std::memcpy(out, pattern, static_cast<size_t>(size));
    for (size_t done = static_cast<size_t>(size); done < bytes; done *= 2) {
      std::memcpy(out + done, out, std::min(done, bytes - done));
    }
  });
}

}  // namespace ftrun::kernels
#endif
