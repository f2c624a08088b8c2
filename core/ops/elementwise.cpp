// Binary and ternary elementwise ops: shape rule and gradient rule of each. Unary ones: elementwise_unary.cpp.
#include "core/ops/elementwise.h"

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/checks.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

/// How b stretches over a.
enum class Broadcast { kSame, kOne, kLastAxis, kColumn };

Broadcast broadcast_of(std::string_view name, const Tensor& a, const Tensor& b) {
  if (a.shape() == b.shape()) return Broadcast::kSame;
  if (b.element_count() == 1) return Broadcast::kOne;
  if (b.ndim() == 1 && a.ndim() > 0 && b.dim(0) == a.dim(-1)) return Broadcast::kLastAxis;
  if (a.ndim() > 0 && b.shape() == a.shape().with_last(1)) return Broadcast::kColumn;
  throw invalid_argument(
      "op '{}': b {} does not fit a {}: it must have a's shape, one element, a's last axis, or a's shape with a last "
      "axis of 1",
      name, b.text(), a.text());
}

/// Sums a gradient of a's shape over what b was stretched along.
Tensor reduced(ExecutionContext& ctx, const Tensor& gradient, const Shape& shape_of_b, Broadcast kind) {
  switch (kind) {
    case Broadcast::kSame:
      return gradient;
    case Broadcast::kOne:
      return primitive::sum_all(ctx, gradient);
    case Broadcast::kColumn:
      return primitive::sum_last(ctx, gradient);
    case Broadcast::kLastAxis:
      break;
  }
  const Tensor sum = empty_on(ctx, gradient.device(), FTRUN_F32, shape_of_b, FTRUN_MEMORY_ACTIVATIONS);
  primitive::sum_rows_into(ctx, gradient.reshape({gradient.shape().rows(), gradient.shape().last()}), sum, false);
  return sum;
}

/// Gradients of a and of b (before reduction) given dy, the operands and y. Entries that are not needed stay empty.
struct BinaryGradients {
  Tensor a;
  Tensor b;
};

struct BinarySaved {
  Tensor a;
  Tensor b;
  Tensor y;
};

BinaryGradients add_gradients(BackwardCall& call, const BinarySaved&) { return {call.gradient(), call.gradient()}; }

BinaryGradients sub_gradients(BackwardCall& call, const BinarySaved&) {
  const Tensor& dy = call.gradient();
  return {dy, call.needs(1) ? primitive::unary(call.context(), FTRUN_OP_NEG, dy, dy.dtype()) : Tensor()};
}

BinaryGradients mul_gradients(BackwardCall& call, const BinarySaved& saved) {
  ExecutionContext& ctx = call.context();
  BinaryGradients result;
  if (call.needs(0)) result.a = primitive::mul(ctx, call.gradient(), saved.b);
  if (call.needs(1)) result.b = primitive::mul(ctx, call.gradient(), saved.a);
  return result;
}

BinaryGradients div_gradients(BackwardCall& call, const BinarySaved& saved) {
  ExecutionContext& ctx = call.context();
  BinaryGradients result;
  result.a = primitive::div(ctx, call.gradient(), saved.b);
  if (call.needs(1)) {
    const Tensor quotient = primitive::div(ctx, saved.a, saved.b);
    result.b = primitive::unary(ctx, FTRUN_OP_NEG, primitive::mul(ctx, result.a, quotient));
  }
  return result;
}

/// sign +1: maximum, -1: minimum. Equal operands share the gradient evenly, as in torch.
BinaryGradients extremum_gradients(BackwardCall& call, const BinarySaved& saved, double sign) {
  ExecutionContext& ctx = call.context();
  const Tensor at_least = primitive::greater_equal(ctx, saved.a, saved.b);
  const Tensor at_most = primitive::less_equal(ctx, saved.a, saved.b);
  const Tensor share_a = primitive::affine(ctx, primitive::sub(ctx, at_least, at_most), 0.5 * sign, 0.5);
  BinaryGradients result;
  result.a = primitive::mul(ctx, call.gradient(), share_a);
  if (call.needs(1)) result.b = primitive::sub(ctx, call.gradient(), result.a);
  return result;
}

struct BinaryOp {
  std::string_view name;
  BinaryGradients (*gradients)(BackwardCall&, const BinarySaved&);
  bool saves_operands;
};

constexpr BinaryOp kBinaryOps[] = {
    {FTRUN_OP_ADD, add_gradients, false},
    {FTRUN_OP_SUB, sub_gradients, false},
    {FTRUN_OP_MUL, mul_gradients, true},
    {FTRUN_OP_DIV, div_gradients, true},
    {FTRUN_OP_MAXIMUM, [](BackwardCall& call, const BinarySaved& s) { return extremum_gradients(call, s, 1.0); }, true},
    {FTRUN_OP_MINIMUM, [](BackwardCall& call, const BinarySaved& s) { return extremum_gradients(call, s, -1.0); },
     true},
};

const BinaryOp& binary_op(std::string_view name) {
  for (const BinaryOp& op : kBinaryOps) {
    if (op.name == name) return op;
  }
  throw not_found("no binary op '{}'", name);
}

ftrun_dtype promoted(const Tensor& a, const Tensor& b) {
  return a.dtype() == FTRUN_F32 || b.dtype() == FTRUN_F32 ? FTRUN_F32 : a.dtype();
}

void binary_backward(BackwardCall& call, const BinaryOp& op, const BinarySaved& saved, const Shape& shape_of_b,
                     Broadcast kind) {
  const BinaryGradients gradients = op.gradients(call, saved);
  if (call.needs(0)) call.contribute(0, gradients.a);
  if (call.needs(1)) call.contribute(1, reduced(call.context(), gradients.b, shape_of_b, kind));
}

}  // namespace

Tensor binary(ExecutionContext& ctx, std::string_view name, const Tensor& a_any, const Tensor& b_any) {
  const OpLabel label(ctx, name);
  const BinaryOp& op = binary_op(name);
  require_float(name, "a", a_any);
  require_float(name, "b", b_any);
  const Broadcast kind = broadcast_of(name, a_any, b_any);
  const Tensor a = contiguous(ctx, a_any);
  const Tensor b = contiguous(ctx, b_any);
  const Tensor y = primitive::binary(ctx, name, a, b, promoted(a, b));
  if (!should_record(ctx, {a, b})) return y;
  const BinarySaved saved = op.saves_operands ? BinarySaved{a, b, {}} : BinarySaved{};
  record_op(ctx, name, {a, b}, {y}, [&op, saved, shape = b.shape(), kind](BackwardCall& call) {
    binary_backward(call, op, saved, shape, kind);
  });
  return y;
}

Tensor add(ExecutionContext& ctx, const Tensor& a, const Tensor& b) { return binary(ctx, FTRUN_OP_ADD, a, b); }
Tensor sub(ExecutionContext& ctx, const Tensor& a, const Tensor& b) { return binary(ctx, FTRUN_OP_SUB, a, b); }
Tensor mul(ExecutionContext& ctx, const Tensor& a, const Tensor& b) { return binary(ctx, FTRUN_OP_MUL, a, b); }
Tensor div(ExecutionContext& ctx, const Tensor& a, const Tensor& b) { return binary(ctx, FTRUN_OP_DIV, a, b); }

Tensor greater_equal(ExecutionContext& ctx, const Tensor& a, const Tensor& b) {
  const OpLabel label(ctx, FTRUN_OP_GREATER_EQUAL);
  require_float(FTRUN_OP_GREATER_EQUAL, "a", a);
  require_float(FTRUN_OP_GREATER_EQUAL, "b", b);
  refuse_gradient(ctx, FTRUN_OP_GREATER_EQUAL, {a, b});
  broadcast_of(FTRUN_OP_GREATER_EQUAL, a, b);
  return primitive::binary(ctx, FTRUN_OP_GREATER_EQUAL, contiguous(ctx, a), contiguous(ctx, b), a.dtype());
}

Tensor select(ExecutionContext& ctx, const Tensor& condition_any, const Tensor& a_any, const Tensor& b_any) {
  const OpLabel label(ctx, FTRUN_OP_SELECT);
  require_float(FTRUN_OP_SELECT, "condition", condition_any);
  require_float(FTRUN_OP_SELECT, "a", a_any);
  require_float(FTRUN_OP_SELECT, "b", b_any);
  require_shape(FTRUN_OP_SELECT, "a", a_any, condition_any.shape());
  require_shape(FTRUN_OP_SELECT, "b", b_any, condition_any.shape());
  refuse_gradient(ctx, FTRUN_OP_SELECT, {condition_any});
  const Tensor condition = contiguous(ctx, condition_any);
  const Tensor a = contiguous(ctx, a_any);
  const Tensor b = contiguous(ctx, b_any);
  const Tensor y = empty_like(ctx, a, promoted(a, b));
  execute(ctx, FTRUN_OP_SELECT, {condition, a, b}, {y});
  record_op(ctx, FTRUN_OP_SELECT, {a, b}, {y}, [condition](BackwardCall& call) {
    ExecutionContext& scope = call.context();
    const Tensor& dy = call.gradient();
    const Tensor zero = full(scope, dy.dtype(), dy.shape(), 0.0);
    for (size_t input = 0; input < 2; ++input) {
      if (!call.needs(input)) continue;
      const Tensor gradient = empty_like(scope, dy, dy.dtype());
      execute(scope, FTRUN_OP_SELECT, {condition, input == 0 ? dy : zero, input == 0 ? zero : dy}, {gradient});
      call.contribute(input, gradient);
    }
  });
  return y;
}

Tensor axpy(ExecutionContext& ctx, const Tensor& x, const Tensor& y0, double alpha) {
  const OpLabel label(ctx, FTRUN_OP_AXPY);
  require_float(FTRUN_OP_AXPY, "x", x);
  require_float(FTRUN_OP_AXPY, "y0", y0);
  require_shape(FTRUN_OP_AXPY, "x", x, y0.shape());
  return add(ctx, y0, affine(ctx, x, alpha));
}

void register_elementwise(OpTable& table) {
  for (const BinaryOp& op : kBinaryOps) {
    table[std::string(op.name)] = {
        .min_inputs = 2,
        .max_inputs = 2,
        .run = [name = op.name](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
          return std::vector{binary(ctx, name, in[0], in[1])};
        }};
  }
  table[FTRUN_OP_GREATER_EQUAL] = {.min_inputs = 2,
                                   .max_inputs = 2,
                                   .differentiable = false,
                                   .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
                                     return std::vector{greater_equal(ctx, in[0], in[1])};
                                   }};
  table[FTRUN_OP_SELECT] = {
      .min_inputs = 3, .max_inputs = 3, .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
        return std::vector{select(ctx, in[0], in[1], in[2])};
      }};
  table[FTRUN_OP_AXPY] = {
      .min_inputs = 2,
      .max_inputs = 2,
      .attribute_bytes = sizeof(ftrun_affine_attributes),
      .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
        return std::vector{axpy(ctx, in[0], in[1], static_cast<const ftrun_affine_attributes*>(attributes)->alpha)};
      }};
}

}  // namespace ftrun::ops
