// Gathering by id with its gradients.
#include "core/ops/embedding.h"

#include "core/autograd/tape.h"
#include "core/ops/checks.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"

namespace ftrun::ops {

Tensor embedding(ExecutionContext& ctx, const Tensor& table, const Tensor& ids) {
  const OpLabel label(ctx, FTRUN_OP_GATHER_ROWS);
  require_float(FTRUN_OP_GATHER_ROWS, "table", table);
  require_ndim(FTRUN_OP_GATHER_ROWS, "table", table, 2);
  require_dtype(FTRUN_OP_GATHER_ROWS, "ids", ids, FTRUN_I32);
  require_ndim(FTRUN_OP_GATHER_ROWS, "ids", ids, 1);
  const Tensor y = empty_on(ctx, table.device(), table.dtype(), {ids.dim(0), table.dim(1)}, FTRUN_MEMORY_ACTIVATIONS);
  execute(ctx, FTRUN_OP_GATHER_ROWS, {contiguous(ctx, table), ids}, {y});
  record_op(ctx, FTRUN_OP_GATHER_ROWS, {table}, {y}, [ids](BackwardCall& call) {
    const GradientDestination dtable = call.destination(0);
    if (!dtable) return;
    auto values = attributes<ftrun_accumulate_attributes>();
    values.accumulate = dtable.accumulate ? 1 : 0;
    execute(call.context(), FTRUN_OP_SCATTER_ADD_ROWS, {call.gradient(), ids}, {dtable.tensor}, &values);
  });
  return y;
}

Tensor gather_last(ExecutionContext& ctx, const Tensor& x_any, const Tensor& ids) {
  const OpLabel label(ctx, FTRUN_OP_GATHER_LAST);
  require_float(FTRUN_OP_GATHER_LAST, "x", x_any);
  require_ndim(FTRUN_OP_GATHER_LAST, "x", x_any, 2);
  require_dtype(FTRUN_OP_GATHER_LAST, "ids", ids, FTRUN_I32);
  require_shape(FTRUN_OP_GATHER_LAST, "ids", ids, {x_any.dim(0)});
  const Tensor x = contiguous(ctx, x_any);
  const Tensor y = empty_on(ctx, x.device(), FTRUN_F32, {x.dim(0)}, FTRUN_MEMORY_ACTIVATIONS);
  execute(ctx, FTRUN_OP_GATHER_LAST, {x, ids}, {y});
  record_op(ctx, FTRUN_OP_GATHER_LAST, {x}, {y}, [ids](BackwardCall& call) {
    ExecutionContext& scope = call.context();
    const GradientDestination dx = call.destination(0);
    if (!dx) return;
    if (!dx.accumulate) fill(scope, dx.tensor, 0.0);
    execute(scope, FTRUN_OP_ADD_AT_LAST, {dx.tensor, ids, call.gradient()}, {dx.tensor});
  });
  return y;
}

void register_embedding(OpTable& table) {
  const auto add = [&table](const char* name, Tensor (*function)(ExecutionContext&, const Tensor&, const Tensor&)) {
    table[name] = {.min_inputs = 2,
                   .max_inputs = 2,
                   .run = [function](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
                     return std::vector{function(ctx, in[0], in[1])};
                   }};
  };
  add(FTRUN_OP_GATHER_ROWS, embedding);
  add(FTRUN_OP_GATHER_LAST, gather_last);
}

}  // namespace ftrun::ops
