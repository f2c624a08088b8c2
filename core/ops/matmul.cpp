// Matrix product and linear layer with their gradients.
#include "core/ops/matmul.h"

#include "core/autograd/saved_tensor.h"
#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/ops/checks.h"
#include "core/ops/elementwise.h"
#include "core/ops/families.h"
#include "core/ops/layout.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

struct Product {
  bool transpose_a;
  bool transpose_b;
  double alpha;
};

Shape product_shape(const Tensor& a, const Tensor& b, const Product& product) {
  const bool fits = (a.ndim() == 2 || a.ndim() == 3) && b.ndim() == a.ndim() &&
                    (a.ndim() == 2 || a.dim(0) == b.dim(0)) &&
                    a.dim(product.transpose_a ? -2 : -1) == b.dim(product.transpose_b ? -1 : -2);
  if (!fits) {
    throw invalid_argument("op 'matmul': a {}{} does not fit b {}{}", a.text(),
                           product.transpose_a ? " transposed" : "", b.text(),
                           product.transpose_b ? " transposed" : "");
  }
  const int64_t rows = a.dim(product.transpose_a ? -1 : -2);
  const int64_t columns = b.dim(product.transpose_b ? -2 : -1);
  return a.ndim() == 2 ? Shape{rows, columns} : Shape{a.dim(0), rows, columns};
}

/// da = alpha dc op(b)^T, or its transpose where a was transposed; db likewise.
void matmul_backward(BackwardCall& call, const Tensor& a, const Tensor& b, const Product& product) {
  ExecutionContext& ctx = call.context();
  const Tensor& dc = call.gradient();
  if (const GradientDestination da = call.destination(0)) {
    if (product.transpose_a) {
      matmul_into(ctx, b, dc, da.tensor, product.transpose_b, true, da.accumulate, product.alpha);
    } else {
      matmul_into(ctx, dc, b, da.tensor, false, !product.transpose_b, da.accumulate, product.alpha);
    }
  }
  if (const GradientDestination db = call.destination(1)) {
    if (product.transpose_b) {
      matmul_into(ctx, dc, a, db.tensor, true, product.transpose_a, db.accumulate, product.alpha);
    } else {
      matmul_into(ctx, a, dc, db.tensor, !product.transpose_a, false, db.accumulate, product.alpha);
    }
  }
}

struct SavedPair {
  SavedTensor a_RI;
  SavedTensor b_OR;
  double scale = 1.0;
  Tensor h_TR;  ///< x A^T
};

/// Inputs of the linear's node: x, then weights, then biases, then A and B of each pair.
struct LinearSaved {
  SavedTensor x;
  Shape shape_TI;
  std::vector<SavedTensor> weights;
  size_t biases;
  std::vector<SavedPair> pairs;
};

/// y_TO += scale (x A^T) B^T; returns x A^T.
Tensor add_low_rank(ExecutionContext& ctx, const Tensor& x_TI, const LowRankPair& pair, const Tensor& y_TO) {
  const Tensor h_TR =
      empty_on(ctx, x_TI.device(), x_TI.dtype(), {x_TI.dim(0), pair.a_RI.dim(0)}, FTRUN_MEMORY_ACTIVATIONS);
  matmul_into(ctx, x_TI, pair.a_RI, h_TR, false, true, false);
  matmul_into(ctx, h_TR, pair.b_OR, y_TO, false, true, true, pair.scale);
  return h_TR;
}

/// Inputs `first` and `first + 1` of the node are A and B.
void low_rank_backward(BackwardCall& call, size_t first, const SavedPair& saved, const Tensor& x_TI,
                       const Shape& shape_TI, const Tensor& dy_TO) {
  ExecutionContext& ctx = call.context();
  if (const GradientDestination db = call.destination(first + 1)) {
    matmul_into(ctx, dy_TO, saved.h_TR, db.tensor, true, false, db.accumulate, saved.scale);
  }
  if (!call.needs(0) && !call.needs(first)) return;
  const Tensor dh_TR = empty_like(ctx, saved.h_TR, saved.h_TR.dtype());
  matmul_into(ctx, dy_TO, saved.b_OR.get(ctx), dh_TR, false, false, false, saved.scale);
  if (const GradientDestination da = call.destination(first)) {
    matmul_into(ctx, dh_TR, x_TI, da.tensor, true, false, da.accumulate);
  }
  if (const GradientDestination dx = call.destination(0)) {
    matmul_into(ctx, dh_TR, saved.a_RI.get(ctx), dx.tensor.reshape(shape_TI), false, false, dx.accumulate);
  }
}

bool needs_x(const BackwardCall& call, const LinearSaved& saved) {
  const size_t n = saved.weights.size();
  bool needed = false;
  for (size_t i = 0; i < n; ++i) needed = needed || call.needs(1 + i);
  for (size_t i = 0; i < saved.pairs.size(); ++i) needed = needed || call.needs(1 + n + saved.biases + 2 * i);
  return needed;
}

void linear_backward(BackwardCall& call, const LinearSaved& saved) {
  ExecutionContext& ctx = call.context();
  const size_t n = saved.weights.size();
  const Tensor x_TI = needs_x(call, saved) ? saved.x.get(ctx).reshape(saved.shape_TI) : Tensor();
  for (size_t i = 0; i < n; ++i) {
    if (!call.gradient(i)) continue;
    const Tensor dy = call.gradient(i).reshape({saved.shape_TI[0], saved.weights[i].shape()[0]});
    if (const GradientDestination dx = call.destination(0)) {
      const Tensor dx_TI = dx.tensor.reshape(saved.shape_TI);
      matmul_into(ctx, dy, saved.weights[i].get(ctx), dx_TI, false, false, dx.accumulate);
    }
    if (const GradientDestination dw = call.destination(1 + i)) {
      matmul_into(ctx, dy, x_TI, dw.tensor, true, false, dw.accumulate);
    }
    if (i < saved.biases) {
      if (const GradientDestination db = call.destination(1 + n + i)) {
        primitive::sum_rows_into(ctx, dy, db.tensor, db.accumulate);
      }
    }
    if (i < saved.pairs.size() && saved.pairs[i].h_TR) {
      low_rank_backward(call, 1 + n + saved.biases + 2 * i, saved.pairs[i], x_TI, saved.shape_TI, dy);
    }
  }
}

void check_low_rank(const Tensor& x, const Tensor& weight, const LowRankPair& pair) {
  for (const Tensor& factor : {pair.a_RI, pair.b_OR}) {
    require_float("linear", "low-rank factor", factor);
    require_ndim("linear", "low-rank factor", factor, 2);
  }
  require_shape("linear", "low-rank A", pair.a_RI, {pair.a_RI.dim(0), x.dim(-1)});
  require_shape("linear", "low-rank B", pair.b_OR, {weight.dim(0), pair.a_RI.dim(0)});
}

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  require_float("linear", "weight", weight);
  require_ndim("linear", "weight", weight, 2);
  if (weight.dim(1) != x.dim(-1)) {
    throw invalid_argument("op 'linear': weight {} does not fit x {}", weight.text(), x.text());
  }
  if (!bias) return;
  require_float("linear", "bias", bias);
  require_shape("linear", "bias", bias, {weight.dim(0)});
}

}  // namespace

void matmul_into(ExecutionContext& ctx, const Tensor& a, const Tensor& b, const Tensor& c, bool transpose_a,
                 bool transpose_b, bool accumulate, double alpha, const Tensor& bias) {
  auto values = attributes<ftrun_matmul_attributes>();
  values.transpose_a = transpose_a ? 1 : 0;
  values.transpose_b = transpose_b ? 1 : 0;
  values.accumulate = accumulate ? 1 : 0;
  values.alpha = alpha;
  if (bias) {
    execute(ctx, FTRUN_OP_MATMUL, {a, b, bias}, {c}, &values);
  } else {
    execute(ctx, FTRUN_OP_MATMUL, {a, b}, {c}, &values);
  }
}

Tensor matmul(ExecutionContext& ctx, const Tensor& a_any, const Tensor& b_any, bool transpose_a, bool transpose_b,
              double alpha) {
  const OpLabel label(ctx, FTRUN_OP_MATMUL);
  require_float(FTRUN_OP_MATMUL, "a", a_any);
  require_float(FTRUN_OP_MATMUL, "b", b_any);
  const Product product{transpose_a, transpose_b, alpha};
  const Shape shape = product_shape(a_any, b_any, product);
  const Tensor a = contiguous(ctx, a_any);
  const Tensor b = contiguous(ctx, b_any);
  const Tensor c = empty_on(ctx, a.device(), a.dtype(), shape, FTRUN_MEMORY_ACTIVATIONS);
  matmul_into(ctx, a, b, c, transpose_a, transpose_b, false, alpha);
  record_op(ctx, FTRUN_OP_MATMUL, {a, b}, {c},
            [a, b, product](BackwardCall& call) { matmul_backward(call, a, b, product); });
  return c;
}

std::vector<Tensor> linear(ExecutionContext& ctx, const Tensor& x_any, std::span<const Tensor> weights,
                           std::span<const Tensor> biases, std::span<const LowRankPair> low_rank) {
  const OpLabel label(ctx, "linear");
  require_float("linear", "x", x_any);
  if (x_any.ndim() == 0) require_ndim("linear", "x", x_any, 2);
  const Tensor x = contiguous(ctx, x_any);
  const Tensor x_TI = x.reshape({x.shape().rows(), x.dim(-1)});
  std::vector<Tensor> inputs{x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  inputs.insert(inputs.end(), biases.begin(), biases.end());
  for (const LowRankPair& pair : low_rank) inputs.insert(inputs.end(), {pair.a_RI, pair.b_OR});
  std::vector<Tensor> outputs;
  std::vector<SavedPair> pairs;
  for (size_t i = 0; i < weights.size(); ++i) {
    const Tensor bias = i < biases.size() ? biases[i] : Tensor();
    check_linear(x, weights[i], bias);
    const int64_t features = weights[i].dim(0);
    const Tensor y = empty_on(ctx, x.device(), x.dtype(), x.shape().with_last(features), FTRUN_MEMORY_ACTIVATIONS);
    const Tensor y_TO = y.reshape({x_TI.dim(0), features});
    matmul_into(ctx, x_TI, weights[i], y_TO, false, true, false, 1.0, bias);
    outputs.push_back(y);
    if (i >= low_rank.size()) continue;
    pairs.emplace_back();
    if (!low_rank[i].a_RI) continue;
    check_low_rank(x, weights[i], low_rank[i]);
    pairs.back() = {SavedTensor(low_rank[i].a_RI), SavedTensor(low_rank[i].b_OR), low_rank[i].scale,
                    add_low_rank(ctx, x_TI, low_rank[i], y_TO)};
  }
  if (should_record(ctx, inputs)) {
    std::vector<SavedTensor> saved_weights;
    for (const Tensor& weight : weights) saved_weights.emplace_back(weight);
    LinearSaved saved{SavedTensor(x), x_TI.shape(), std::move(saved_weights), biases.size(), std::move(pairs)};
    ctx.tape->record("linear", inputs, outputs,
                     [saved = std::move(saved)](BackwardCall& call) { linear_backward(call, saved); });
  }
  return outputs;
}

Tensor linear(ExecutionContext& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor biases[] = {bias};
  return linear(ctx, x, std::span(&weight, 1), std::span(biases, bias ? 1u : 0u)).front();
}

void register_matmul(OpTable& table) {
  table[FTRUN_OP_MATMUL] = {.min_inputs = 2,
                            .max_inputs = 3,
                            .attribute_bytes = sizeof(ftrun_matmul_attributes),
                            .run = [](ExecutionContext& ctx, std::span<const Tensor> in, const void* attributes) {
                              const auto& values = *static_cast<const ftrun_matmul_attributes*>(attributes);
                              require_zero(FTRUN_OP_MATMUL, "accumulate", values.accumulate);
                              require_zero(FTRUN_OP_MATMUL, "reserved", values.reserved);
                              const Tensor c = matmul(ctx, in[0], in[1], values.transpose_a != 0,
                                                      values.transpose_b != 0, values.alpha);
                              if (in.size() < 3 || !in[2]) return std::vector{c};
                              require_shape(FTRUN_OP_MATMUL, "bias", in[2], {c.dim(-1)});
                              return std::vector{cast(ctx, add(ctx, c, in[2]), c.dtype())};
                            }};
}

}  // namespace ftrun::ops
