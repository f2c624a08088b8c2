// Rotary position embedding: fused kernels, or compositions from primitives.
#include "core/ops/rope.h"

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/checks.h"
#include "core/ops/elementwise.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

RopeTable table_composed(ExecutionContext& ctx, const Tensor& positions, const Tensor& inv_freq, double scaling) {
  const Shape shape{positions.dim(0), inv_freq.dim(0)};
  const Tensor position_column = empty_like(ctx, positions, FTRUN_F32).reshape({positions.dim(0), 1});
  copy_into(ctx, positions.reshape({positions.dim(0), 1}), position_column);
  const Tensor angles = primitive::mul(ctx, primitive::broadcast(ctx, position_column, shape, FTRUN_F32), inv_freq);
  RopeTable table;
  table.cos = primitive::affine(ctx, primitive::unary(ctx, FTRUN_OP_COS, angles), scaling, 0.0);
  table.sin = primitive::affine(ctx, primitive::unary(ctx, FTRUN_OP_SIN, angles), scaling, 0.0);
  return table;
}

/// f32[T, C / 2] repeated over heads: [T, H, C / 2].
Tensor over_heads(ExecutionContext& ctx, const Tensor& table, int64_t heads) {
  const Shape shape{table.dim(0), heads, table.dim(1)};
  const int64_t strides[] = {table.dim(1), 0, 1};
  const Tensor y = empty_on(ctx, table.device(), FTRUN_F32, shape, FTRUN_MEMORY_WORKSPACE);
  copy_into(ctx, table.as_strided(shape, strides), y);
  return y;
}

Tensor rotate_composed(ExecutionContext& ctx, const Tensor& x, const RopeTable& table, bool inverse) {
  const int64_t half = x.dim(2) / 2;
  const Tensor y = empty_like(ctx, x, x.dtype());
  const Tensor cos = over_heads(ctx, table.cos, x.dim(1));
  const Tensor sin = over_heads(ctx, table.sin, x.dim(1));
  const Tensor halves[] = {copy(ctx, x.slice(2, 0, half)), copy(ctx, x.slice(2, half, 2 * half))};
  for (int32_t part = 0; part < 2; ++part) {
    const Tensor along = primitive::mul(ctx, halves[part], cos);
    const Tensor across = primitive::mul(ctx, halves[1 - part], sin);
    const bool subtract = (part == 0) != inverse;
    const Tensor sum = primitive::binary(ctx, subtract ? FTRUN_OP_SUB : FTRUN_OP_ADD, along, across, FTRUN_F32);
    copy_into(ctx, sum, y.slice(2, part * half, (part + 1) * half));
  }
  return y;
}

Tensor rotate(ExecutionContext& ctx, const Tensor& x, const RopeTable& table, bool inverse) {
  if (!has_fused(x, FTRUN_OP_ROPE)) return rotate_composed(ctx, x, table, inverse);
  auto values = attributes<ftrun_rope_attributes>();
  values.inverse = inverse ? 1 : 0;
  const Tensor y = empty_like(ctx, x, x.dtype());
  execute(ctx, FTRUN_OP_ROPE, {x, table.cos, table.sin}, {y}, &values);
  return y;
}

}  // namespace

RopeTable rope_table(ExecutionContext& ctx, const Tensor& positions, const Tensor& inv_freq, double scaling) {
  const OpLabel label(ctx, FTRUN_OP_ROPE_TABLE);
  const NoGradGuard no_grad(ctx);
  require_dtype(FTRUN_OP_ROPE_TABLE, "positions", positions, FTRUN_I32);
  require_ndim(FTRUN_OP_ROPE_TABLE, "positions", positions, 1);
  require_dtype(FTRUN_OP_ROPE_TABLE, "inv_freq", inv_freq, FTRUN_F32);
  require_ndim(FTRUN_OP_ROPE_TABLE, "inv_freq", inv_freq, 1);
  if (!has_fused(inv_freq, FTRUN_OP_ROPE_TABLE)) return table_composed(ctx, positions, inv_freq, scaling);
  auto values = attributes<ftrun_rope_table_attributes>();
  values.scaling = scaling;
  const Shape shape{positions.dim(0), inv_freq.dim(0)};
  const RopeTable table{empty_on(ctx, positions.device(), FTRUN_F32, shape, FTRUN_MEMORY_ACTIVATIONS),
                        empty_on(ctx, positions.device(), FTRUN_F32, shape, FTRUN_MEMORY_ACTIVATIONS)};
  execute(ctx, FTRUN_OP_ROPE_TABLE, {positions, inv_freq}, {table.cos, table.sin}, &values);
  return table;
}

Tensor rope(ExecutionContext& ctx, const Tensor& x_any, const RopeTable& table) {
  const OpLabel label(ctx, FTRUN_OP_ROPE);
  require_float(FTRUN_OP_ROPE, "x", x_any);
  require_ndim(FTRUN_OP_ROPE, "x", x_any, 3);
  if (x_any.dim(2) % 2 != 0) throw invalid_argument("op 'rope': the last axis of x {} must be even", x_any.text());
  const Shape table_shape{x_any.dim(0), x_any.dim(2) / 2};
  for (const Tensor& part : {table.cos, table.sin}) {
    require_dtype(FTRUN_OP_ROPE, "cos and sin", part, FTRUN_F32);
    require_shape(FTRUN_OP_ROPE, "cos and sin", part, table_shape);
  }
  const Tensor x = contiguous(ctx, x_any);
  Tensor y;
  {
    const NoGradGuard no_grad(ctx);
    y = rotate(ctx, x, table, false);
  }
  record_op(ctx, FTRUN_OP_ROPE, {x}, {y},
            [table](BackwardCall& call) { call.contribute(0, rotate(call.context(), call.gradient(), table, true)); });
  return y;
}

void register_rope(OpTable& table) {
  table[FTRUN_OP_ROPE_TABLE] = {.min_inputs = 2,
                                .max_inputs = 2,
                                .max_outputs = 2,
                                .attribute_bytes = sizeof(ftrun_rope_table_attributes),
                                .differentiable = false,
                                .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                                  const double scaling =
                                      static_cast<const ftrun_rope_table_attributes*>(attributes)->scaling;
                                  const RopeTable result = rope_table(ctx, in[0], in[1], scaling);
                                  return std::vector{result.cos, result.sin};
                                }};
  table[FTRUN_OP_ROPE] = {.min_inputs = 3,
                          .max_inputs = 3,
                          .attribute_bytes = sizeof(ftrun_rope_attributes),
                          .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                            const auto& values = *static_cast<const ftrun_rope_attributes*>(attributes);
                            require_zero(FTRUN_OP_ROPE, "reserved", values.reserved);
                            if (values.inverse == 0) {
                              return std::vector{rope(ctx, in[0], {in[1], in[2]})};
                            }
                            return std::vector{rope(ctx, in[0], {in[1], unary(ctx, FTRUN_OP_NEG, in[2])})};
                          }};
}

}  // namespace ftrun::ops
