// Unary elementwise ops: each with its gradient rule.
#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/checks.h"
#include "core/ops/elementwise.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

namespace p = primitive;

/// What a rule works on: x and y as saved, and dy. Returns dx.
struct UnaryArguments {
  ExecutionContext& ctx;
  const Tensor& x;
  const Tensor& y;
  const Tensor& dy;
};

using UnaryRule = Tensor (*)(const UnaryArguments&);

enum class Saves { kNothing, kInput, kOutput };

struct UnaryOp {
  std::string_view name;
  Saves saves;
  UnaryRule dx;
};

/// alpha * x + beta, shorthand of the rules below.
Tensor scaled(const UnaryArguments& a, const Tensor& x, double alpha, double beta = 0.0) {
  return p::affine(a.ctx, x, alpha, beta);
}

Tensor silu_dx(const UnaryArguments& a) {
  // s (1 + x (1 - s)) with s = sigmoid(x)
  const Tensor s = p::unary(a.ctx, FTRUN_OP_SIGMOID, a.x);
  const Tensor inner = scaled(a, p::mul(a.ctx, scaled(a, s, -1.0, 1.0), a.x), 1.0, 1.0);
  return p::mul(a.ctx, a.dy, p::mul(a.ctx, inner, s));
}

/// 1 where x >= 0 (sign +1) or x <= 0 (sign -1).
Tensor on_side(const UnaryArguments& a, double sign) {
  const Tensor zero = full(a.ctx, FTRUN_F32, {1}, 0.0);
  return p::greater_equal(a.ctx, sign > 0 ? a.x : p::unary(a.ctx, FTRUN_OP_NEG, a.x, a.x.dtype()), zero);
}

Tensor abs_dx(const UnaryArguments& a) { return p::mul(a.ctx, a.dy, p::sub(a.ctx, on_side(a, 1.0), on_side(a, -1.0))); }

Tensor relu_dx(const UnaryArguments& a) { return p::mul(a.ctx, a.dy, scaled(a, on_side(a, -1.0), -1.0, 1.0)); }

constexpr UnaryOp kUnaryOps[] = {
    {FTRUN_OP_NEG, Saves::kNothing, [](const UnaryArguments& a) { return scaled(a, a.dy, -1.0); }},
    {FTRUN_OP_EXP, Saves::kOutput, [](const UnaryArguments& a) { return p::mul(a.ctx, a.dy, a.y); }},
    {FTRUN_OP_LOG, Saves::kInput, [](const UnaryArguments& a) { return p::div(a.ctx, a.dy, a.x); }},
    {FTRUN_OP_SQRT, Saves::kOutput, [](const UnaryArguments& a) { return scaled(a, p::div(a.ctx, a.dy, a.y), 0.5); }},
    {FTRUN_OP_RSQRT, Saves::kOutput,
     [](const UnaryArguments& a) {
       const Tensor cube = p::mul(a.ctx, p::unary(a.ctx, FTRUN_OP_SQUARE, a.y), a.y);
       return scaled(a, p::mul(a.ctx, a.dy, cube), -0.5);
     }},
    {FTRUN_OP_SQUARE, Saves::kInput, [](const UnaryArguments& a) { return scaled(a, p::mul(a.ctx, a.dy, a.x), 2.0); }},
    {FTRUN_OP_RECIPROCAL, Saves::kOutput,
     [](const UnaryArguments& a) {
       return scaled(a, p::mul(a.ctx, a.dy, p::unary(a.ctx, FTRUN_OP_SQUARE, a.y)), -1.0);
     }},
    {FTRUN_OP_SIGMOID, Saves::kOutput,
     [](const UnaryArguments& a) { return p::mul(a.ctx, p::mul(a.ctx, a.dy, a.y), scaled(a, a.y, -1.0, 1.0)); }},
    {FTRUN_OP_LOG_SIGMOID, Saves::kInput,
     [](const UnaryArguments& a) {
       return p::mul(a.ctx, a.dy, p::unary(a.ctx, FTRUN_OP_SIGMOID, scaled(a, a.x, -1.0)));
     }},
    {FTRUN_OP_SILU, Saves::kInput, silu_dx},
    {FTRUN_OP_RELU, Saves::kInput, relu_dx},
    {FTRUN_OP_TANH, Saves::kOutput,
     [](const UnaryArguments& a) {
       return p::mul(a.ctx, a.dy, scaled(a, p::unary(a.ctx, FTRUN_OP_SQUARE, a.y), -1.0, 1.0));
     }},
    {FTRUN_OP_ABS, Saves::kInput, abs_dx},
    {FTRUN_OP_SIN, Saves::kInput,
     [](const UnaryArguments& a) { return p::mul(a.ctx, a.dy, p::unary(a.ctx, FTRUN_OP_COS, a.x)); }},
    {FTRUN_OP_COS, Saves::kInput,
     [](const UnaryArguments& a) { return scaled(a, p::mul(a.ctx, a.dy, p::unary(a.ctx, FTRUN_OP_SIN, a.x)), -1.0); }},
};

const UnaryOp& unary_op(std::string_view name) {
  for (const UnaryOp& op : kUnaryOps) {
    if (op.name == name) return op;
  }
  throw not_found("no unary op '{}'", name);
}

}  // namespace

Tensor unary(ExecutionContext& ctx, std::string_view name, const Tensor& x_any) {
  const OpLabel label(ctx, name);
  const UnaryOp& op = unary_op(name);
  require_float(name, "x", x_any);
  const Tensor x = contiguous(ctx, x_any);
  const Tensor y = p::unary(ctx, name, x, x.dtype());
  if (!should_record(ctx, {x})) return y;
  const Tensor saved = op.saves == Saves::kInput ? x : op.saves == Saves::kOutput ? y : Tensor();
  record_op(ctx, name, {x}, {y}, [&op, saved](BackwardCall& call) {
    call.contribute(0, op.dx({call.context(), saved, saved, call.gradient()}));
  });
  return y;
}

Tensor affine(ExecutionContext& ctx, const Tensor& x_any, double alpha, double beta) {
  const OpLabel label(ctx, FTRUN_OP_AFFINE);
  require_float(FTRUN_OP_AFFINE, "x", x_any);
  const Tensor x = contiguous(ctx, x_any);
  const Tensor y = p::affine(ctx, x, alpha, beta, x.dtype());
  record_op(ctx, FTRUN_OP_AFFINE, {x}, {y}, [alpha](BackwardCall& call) {
    const Tensor& dy = call.gradient();
    call.contribute(0, p::affine(call.context(), dy, alpha, 0.0, dy.dtype()));
  });
  return y;
}

Tensor clamp(ExecutionContext& ctx, const Tensor& x_any, double low, double high) {
  const OpLabel label(ctx, FTRUN_OP_CLAMP);
  require_float(FTRUN_OP_CLAMP, "x", x_any);
  if (!(low <= high)) throw invalid_argument("op 'clamp': low {} must not be above high {}", low, high);
  const Tensor x = contiguous(ctx, x_any);
  auto values = attributes<ftrun_clamp_attributes>();
  values.low = low;
  values.high = high;
  const Tensor y = empty_like(ctx, x, x.dtype());
  execute(ctx, FTRUN_OP_CLAMP, {x}, {y}, &values);
  record_op(ctx, FTRUN_OP_CLAMP, {x}, {y}, [x, low, high](BackwardCall& call) {
    ExecutionContext& scope = call.context();
    const Tensor above = p::greater_equal(scope, x, full(scope, FTRUN_F32, {1}, low));
    const Tensor below = p::less_equal(scope, x, full(scope, FTRUN_F32, {1}, high));
    call.contribute(0, p::mul(scope, call.gradient(), p::mul(scope, above, below)));
  });
  return y;
}

void register_elementwise_unary(OpTable& table) {
  for (const UnaryOp& op : kUnaryOps) {
    table[std::string(op.name)] = {
        .run = [name = op.name](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
          return std::vector{unary(ctx, name, in[0])};
        }};
  }
  table[FTRUN_OP_AFFINE] = {.attribute_bytes = sizeof(ftrun_affine_attributes),
                            .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                              const auto& values = *static_cast<const ftrun_affine_attributes*>(attributes);
                              return std::vector{affine(ctx, in[0], values.alpha, values.beta)};
                            }};
  table[FTRUN_OP_CLAMP] = {.attribute_bytes = sizeof(ftrun_clamp_attributes),
                           .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                             const auto& values = *static_cast<const ftrun_clamp_attributes*>(attributes);
                             return std::vector{clamp(ctx, in[0], values.low, values.high)};
                           }};
}

}  // namespace ftrun::ops
