// Sums and maxima with their gradients.
#include "core/ops/reductions.h"

#include "core/autograd/tape.h"
#include "core/ops/checks.h"
#include "core/ops/families.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

/// Records y = sum of x along something: dx is dy repeated, `as_column` when the last axis was summed.
void record_sum(ExecutionContext& ctx, std::string_view name, const Tensor& x, const Tensor& y, bool as_column) {
  record_op(ctx, name, {x}, {y}, [shape = x.shape(), dtype = x.dtype(), as_column](BackwardCall& call) {
    const Tensor dy = as_column ? primitive::column(call.gradient()) : call.gradient();
    call.contribute(0, primitive::broadcast(call.context(), dy, shape, dtype));
  });
}

void require_axes(std::string_view op, const Tensor& x) {
  require_float(op, "x", x);
  if (x.ndim() == 0) require_ndim(op, "x", x, 1);
}

}  // namespace

Tensor sum_last(ExecutionContext& ctx, const Tensor& x_any) {
  const OpLabel label(ctx, FTRUN_OP_SUM_LAST);
  require_axes(FTRUN_OP_SUM_LAST, x_any);
  const Tensor x = contiguous(ctx, x_any);
  const Tensor y = primitive::sum_last(ctx, x);
  record_sum(ctx, FTRUN_OP_SUM_LAST, x, y, true);
  return y;
}

Tensor max_last(ExecutionContext& ctx, const Tensor& x_any) {
  const OpLabel label(ctx, FTRUN_OP_MAX_LAST);
  require_axes(FTRUN_OP_MAX_LAST, x_any);
  const Tensor x = contiguous(ctx, x_any);
  const Tensor y = primitive::max_last(ctx, x);
  record_op(ctx, FTRUN_OP_MAX_LAST, {x}, {y}, [x, y](BackwardCall& call) {
    ExecutionContext& scope = call.context();
    const Tensor is_maximum = primitive::greater_equal(scope, x, primitive::column(y));
    const Tensor share = primitive::div(scope, call.gradient(), primitive::sum_last(scope, is_maximum));
    call.contribute(0, primitive::mul(scope, is_maximum, primitive::column(share)));
  });
  return y;
}

Tensor sum_rows(ExecutionContext& ctx, const Tensor& x_any) {
  const OpLabel label(ctx, FTRUN_OP_SUM_ROWS);
  require_float(FTRUN_OP_SUM_ROWS, "x", x_any);
  require_ndim(FTRUN_OP_SUM_ROWS, "x", x_any, 2);
  const Tensor x = contiguous(ctx, x_any);
  const Tensor y = empty_on(ctx, x.device(), x.dtype(), {x.dim(1)}, FTRUN_MEMORY_ACTIVATIONS);
  primitive::sum_rows_into(ctx, x, y, false);
  record_sum(ctx, FTRUN_OP_SUM_ROWS, x, y, false);
  return y;
}

Tensor sum_all(ExecutionContext& ctx, const Tensor& x_any) {
  const OpLabel label(ctx, FTRUN_OP_SUM_ALL);
  require_float(FTRUN_OP_SUM_ALL, "x", x_any);
  const Tensor x = contiguous(ctx, x_any);
  const Tensor y = primitive::sum_all(ctx, x);
  record_sum(ctx, FTRUN_OP_SUM_ALL, x, y, false);
  return y;
}

Tensor sum_squares(ExecutionContext& ctx, const Tensor& x) {
  const OpLabel label(ctx, FTRUN_OP_SUM_SQUARES);
  require_float(FTRUN_OP_SUM_SQUARES, "x", x);
  require_ndim(FTRUN_OP_SUM_SQUARES, "x", x, 1);
  refuse_gradient(ctx, FTRUN_OP_SUM_SQUARES, {x});
  constexpr int64_t kBlock = 1024;
  const Tensor y =
      empty_on(ctx, x.device(), FTRUN_F64, {(x.element_count() + kBlock - 1) / kBlock}, FTRUN_MEMORY_WORKSPACE);
  if (x.element_count() > 0) execute(ctx, FTRUN_OP_SUM_SQUARES, {x}, {y});
  return y;
}

void append_block_sums(ExecutionContext& ctx, const Tensor& sums, std::vector<double>& blocks) {
  const size_t first = blocks.size();
  blocks.resize(first + static_cast<size_t>(sums.element_count()));
  if (blocks.size() > first) read(ctx, sums, blocks.data() + first, sums.bytes());
}

void register_reductions(OpTable& table) {
  const auto add = [&table](const char* name, Tensor (*function)(ExecutionContext&, const Tensor&)) {
    table[name] = {.run = [function](ExecutionContext& ctx, std::span<const Tensor> in, const void*) {
      return std::vector{function(ctx, in[0])};
    }};
  };
  add(FTRUN_OP_SUM_LAST, sum_last);
  add(FTRUN_OP_MAX_LAST, max_last);
  add(FTRUN_OP_SUM_ROWS, sum_rows);
  add(FTRUN_OP_SUM_ALL, sum_all);
  add(FTRUN_OP_SUM_SQUARES, sum_squares);
  table[FTRUN_OP_SUM_SQUARES].differentiable = false;
}

}  // namespace ftrun::ops
