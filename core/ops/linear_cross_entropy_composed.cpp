// Rows are taken in chunks whose logits stay below a fixed size.
#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/ops/layout.h"
#include "core/ops/linear_cross_entropy_composed.h"
#include "core/ops/matmul.h"
#include "core/ops/primitives.h"

namespace ftrun::ops {
namespace {

namespace p = primitive;

int64_t chunk_rows(int64_t vocabulary) {
  constexpr int64_t kChunkElements = int64_t{1} << 23;
  constexpr int64_t kMaxRows = 64;
  return std::clamp<int64_t>(kChunkElements / std::max<int64_t>(vocabulary, 1), 1, kMaxRows);
}

template <class Function>
void for_each_chunk(const HeadCall& call, Function&& function) {
  const int64_t rows = call.x_TD.dim(0);
  const int64_t step = chunk_rows(call.weight_VD.dim(0));
  for (int64_t begin = 0; begin < rows; begin += step) function(begin, std::min(begin + step, rows));
}

Tensor chunk_logits(ExecutionContext& ctx, const HeadCall& call, int64_t begin, int64_t end) {
  const Tensor logits = empty(ctx, FTRUN_F32, {end - begin, call.weight_VD.dim(0)}, FTRUN_MEMORY_WORKSPACE);
  matmul_into(ctx, call.x_TD.slice(0, begin, end), call.weight_VD, logits, false, true, false, call.inv_temperature);
  return logits;
}

/// 1 where the label counts, 0 where it is negative.
Tensor label_mask(ExecutionContext& ctx, const Tensor& labels) {
  const Tensor numbers = empty_like(ctx, labels, FTRUN_F32, FTRUN_MEMORY_WORKSPACE);
  copy_into(ctx, labels, numbers);
  return p::greater_equal(ctx, numbers, full(ctx, FTRUN_F32, {1}, 0.0));
}

void check_labels(ExecutionContext& ctx, const HeadCall& call) {
  std::vector<int32_t> labels(static_cast<size_t>(call.labels_T.element_count()));
  if (!read(ctx, call.labels_T, labels.data(), call.labels_T.bytes())) return;
  for (size_t t = 0; t < labels.size(); ++t) {
    if (labels[t] >= call.weight_VD.dim(0)) {
      throw invalid_argument("op 'linear_cross_entropy': label {} of row {} is not below the vocabulary size {}",
                             labels[t], t, call.weight_VD.dim(0));
    }
  }
}

void forward_chunk(ExecutionContext& ctx, const HeadCall& call, const HeadResult& result, int64_t begin, int64_t end) {
  const Tensor labels = call.labels_T.slice(0, begin, end);
  const Tensor mask = label_mask(ctx, labels);
  const Tensor logits = chunk_logits(ctx, call, begin, end);
  const Tensor maximum = p::max_last(ctx, logits);
  const Tensor e = p::sub(ctx, logits, p::column(maximum));
  execute(ctx, FTRUN_OP_EXP, {e}, {e});
  const Tensor sum = p::sum_last(ctx, e);
  const Tensor lse = p::add(ctx, maximum, p::unary(ctx, FTRUN_OP_LOG, sum));
  const Tensor picked = empty(ctx, FTRUN_F32, {end - begin}, FTRUN_MEMORY_WORKSPACE);
  execute(ctx, FTRUN_OP_GATHER_LAST, {logits, labels}, {picked});
  execute(ctx, FTRUN_OP_MUL, {p::sub(ctx, lse, picked), mask}, {result.loss_T.slice(0, begin, end)});
  execute(ctx, FTRUN_OP_MUL, {lse, mask}, {result.lse_T.slice(0, begin, end)});
  if (!result.entropy_T) return;
  execute(ctx, FTRUN_OP_MUL, {e, logits}, {e});
  const Tensor mean_logit = p::div(ctx, p::sum_last(ctx, e), sum);
  execute(ctx, FTRUN_OP_MUL, {p::sub(ctx, lse, mean_logit), mask}, {result.entropy_T.slice(0, begin, end)});
}

/// d loss / d logits times dloss, in x's dtype.
Tensor chunk_dlogits(ExecutionContext& ctx, const HeadCall& call, const Tensor& dloss_T, const Tensor& lse_T,
                     int64_t begin, int64_t end) {
  const Tensor labels = call.labels_T.slice(0, begin, end);
  const Tensor probabilities = chunk_logits(ctx, call, begin, end);
  execute(ctx, FTRUN_OP_SUB, {probabilities, p::column(lse_T.slice(0, begin, end))}, {probabilities});
  // Rows without a label have lse 0: without the bound exp could overflow before the mask makes them 0.
  const Tensor zero = full(ctx, FTRUN_F32, {1}, 0.0);
  execute(ctx, FTRUN_OP_MINIMUM, {probabilities, zero}, {probabilities});
  execute(ctx, FTRUN_OP_EXP, {probabilities}, {probabilities});
  const Tensor minus_one = full(ctx, FTRUN_F32, {end - begin}, -1.0);
  execute(ctx, FTRUN_OP_ADD_AT_LAST, {probabilities, labels, minus_one}, {probabilities});
  const Tensor scale = p::mul(ctx, dloss_T.slice(0, begin, end), label_mask(ctx, labels));
  const Tensor column = p::column(p::affine(ctx, scale, call.inv_temperature, 0.0));
  return p::binary(ctx, FTRUN_OP_MUL, probabilities, column, call.x_TD.dtype());
}

}  // namespace

HeadResult linear_cross_entropy_composed(ExecutionContext& ctx, const HeadCall& call, bool with_entropy) {
  check_labels(ctx, call);
  const Shape shape{call.x_TD.dim(0)};
  HeadResult result;
  result.loss_T = empty(ctx, FTRUN_F32, shape);
  result.lse_T = empty(ctx, FTRUN_F32, shape);
  if (with_entropy) result.entropy_T = empty(ctx, FTRUN_F32, shape);
  for_each_chunk(call, [&](int64_t begin, int64_t end) { forward_chunk(ctx, call, result, begin, end); });
  return result;
}

void linear_cross_entropy_backward_composed(ExecutionContext& ctx, const HeadCall& call, const Tensor& dloss_T,
                                            const Tensor& lse_T, const Tensor& dx_TD,
                                            const GradientDestination& dweight) {
  Tensor sum = dweight.tensor;
  bool accumulate = dweight.accumulate;
  const bool several_chunks = call.x_TD.dim(0) > chunk_rows(call.weight_VD.dim(0));
  const bool staged = sum && sum.dtype() != FTRUN_F32 && several_chunks;
  if (staged) {
    sum = empty_like(ctx, sum, FTRUN_F32, FTRUN_MEMORY_WORKSPACE);
    accumulate = false;
  }
  if (sum && call.x_TD.dim(0) == 0 && !accumulate) fill(ctx, sum, 0.0);
  for_each_chunk(call, [&](int64_t begin, int64_t end) {
    const Tensor dlogits = chunk_dlogits(ctx, call, dloss_T, lse_T, begin, end);
    if (dx_TD) matmul_into(ctx, dlogits, call.weight_VD, dx_TD.slice(0, begin, end), false, false, false);
    if (!sum) return;
    matmul_into(ctx, dlogits, call.x_TD.slice(0, begin, end), sum, true, false, accumulate);
    accumulate = true;
  });
  if (!staged) return;
  if (dweight.accumulate) {
    execute(ctx, FTRUN_OP_ADD, {dweight.tensor, sum}, {dweight.tensor});
  } else {
    copy_into(ctx, sum, dweight.tensor);
  }
}

}  // namespace ftrun::ops
