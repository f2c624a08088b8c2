// Linear layer and cross-entropy in one: logits exist for one chunk of the vocabulary at a time.
// Scratch of the op: logits of at most max(16 MiB, rows x 512 x 4 bytes) for at most 8,192 rows; the supervised rows of
// x when not all are; in backward also f32 sums of dx (rows x D x 4 bytes) and, beyond 8,192 rows, of one chunk of
// dweight. With gradients: the logits of as many rows as fit in Context::whole_rows_bytes (at least 16, at most half of
// them), over the whole vocabulary, because a row's gradient needs its whole softmax. Legend: R supervised rows, D
// features, V vocabulary.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/devices/kernels/linear_cross_entropy.cpp"
#include <hwy/foreach_target.h>

#include "plugins/devices/kernels/simd-inl.h"

#ifndef FTRUN_KERNELS_LINEAR_CROSS_ENTROPY_TYPES_
#define FTRUN_KERNELS_LINEAR_CROSS_ENTROPY_TYPES_
#include <algorithm>

#include "plugins/devices/kernels/gemm.h"
#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {

/// Columns per step of the online softmax, whatever the chunk: chunks are multiples of it.
constexpr int64_t kSoftmaxStep = 512;
constexpr int64_t kLogitsElements = int64_t{4} << 20;
constexpr int64_t kRowTile = 8192;
constexpr int64_t kFewestWholeRows = 16;

/// Running softmax of one row: sum of exp(z - maximum) and of (z - maximum) exp(z - maximum).
struct RowSoftmax {
  float maximum, sum, weighted, picked;
};

/// Logits [rows, columns] of vocabulary entries [first_column, first_column + columns) for rows of the list.
struct LogitsTile {
  float* logits;
  int64_t rows, columns, stride, first_column;
  const int32_t* row_ids;  ///< token of each row
  const int32_t* labels;   ///< by token
  float inv_temperature;
};

}  // namespace ftrun::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace ftrun::kernels::HWY_NAMESPACE {

HWY_INLINE void softmax_step(const float* z, int64_t columns, float inv_temperature, RowSoftmax& state) {
  const F32 d;
  const VF scale = hn::Set(d, inv_temperature), lowest = hn::Set(d, -std::numeric_limits<float>::infinity());
  float block[kSoftmaxStep];
  VF step_max = hn::Set(d, state.maximum);
  for (int64_t j = 0; j < columns; j += kLanes) {
    VF value = hn::Mul(hn::LoadU(d, z + j), scale);
    if (j + kLanes > columns) value = hn::IfThenElse(hn::FirstN(d, static_cast<size_t>(columns - j)), value, lowest);
    hn::StoreU(value, d, block + j);
    step_max = max_of(step_max, value);
  }
  const float new_max = max_lanes(step_max);
  const VF shift = hn::Set(d, new_max);
  VF sum = hn::Zero(d), weighted = hn::Zero(d);
  for (int64_t j = 0; j < columns; j += kLanes) {
    const VF centred = hn::Sub(hn::LoadU(d, block + j), shift);
    const VF e = exp_of(centred);
    sum = hn::Add(sum, e);
    // -infinity x 0 of the padding must not become NaN.
    weighted = hn::MulAdd(hn::Max(centred, hn::Set(d, -1e30f)), e, weighted);
  }
  if (state.sum > 0.0f) {
    const float change = state.maximum - new_max;
    const float correction = hn::GetLane(exp_of(hn::Set(d, change)));
    state.weighted = correction * (state.weighted + change * state.sum) + sum_lanes(weighted);
    state.sum = state.sum * correction + sum_lanes(sum);
  } else {
    state.weighted = sum_lanes(weighted);
    state.sum = sum_lanes(sum);
  }
  state.maximum = new_max;
}

void softmax_tile(Context& ctx, const LogitsTile& tile, RowSoftmax* states) {
  ctx.parallel.ranges(tile.rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* z = tile.logits + row * tile.stride;
      const int64_t label = tile.labels[tile.row_ids[row]] - tile.first_column;
      if (label >= 0 && label < tile.columns) states[row].picked = z[label] * tile.inv_temperature;
      for (int64_t j = 0; j < tile.columns; j += kSoftmaxStep) {
        softmax_step(z + j, HWY_MIN(kSoftmaxStep, tile.columns - j), tile.inv_temperature, states[row]);
      }
    }
  });
}

/// logits become their gradient: dloss inv_temperature (softmax - onehot).
void gradient_tile(Context& ctx, const LogitsTile& tile, const float* dloss, const float* lse) {
  ctx.parallel.ranges(tile.rows, 8, [&](int64_t begin, int64_t end) {
    const F32 d;
    for (int64_t row = begin; row < end; ++row) {
      float* z = tile.logits + row * tile.stride;
      const int32_t token = tile.row_ids[row];
      const float factor = dloss[token] * tile.inv_temperature;
      const VF shift = hn::Set(d, lse[token]), scale = hn::Set(d, tile.inv_temperature), weight = hn::Set(d, factor);
      for (int64_t j = 0; j < tile.columns; j += kLanes) {
        const VF p = exp_of(hn::MulSub(hn::LoadU(d, z + j), scale, shift));
        hn::StoreU(hn::Mul(p, weight), d, z + j);
      }
      const int64_t label = tile.labels[token] - tile.first_column;
      if (label >= 0 && label < tile.columns) z[label] -= factor;
    }
  });
}

/// y[index, index + count) = round(sums [+ old y]).
void finish_span(const float* sums, int64_t count, void* y, ftrun_dtype dtype, int64_t index, bool accumulate) {
  const F32 d;
  float block[kBlock];
  for (int64_t i = 0; i < count; i += kBlock) {
    const int64_t n = HWY_MIN(kBlock, count - i);
    char* out = at(y, dtype, index + i);
    if (!accumulate) {
      widen_span(sums + i, FTRUN_F32, n, block);
      narrow_span(block, dtype, n, out);
      continue;
    }
    float total[kBlock];
    widen_span(sums + i, FTRUN_F32, n, total);
    widen_span(out, dtype, n, block);
    for (int64_t j = 0; j < n; j += kLanes) {
      hn::StoreU(hn::Add(hn::LoadU(d, total + j), hn::LoadU(d, block + j)), d, total + j);
    }
    narrow_span(total, dtype, n, out);
  }
}

}  // namespace ftrun::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>

namespace ftrun::kernels {
namespace {

HWY_EXPORT(softmax_tile);
HWY_EXPORT(gradient_tile);
HWY_EXPORT(finish_span);

using namespace reference;

struct Problem {
  const ftrun_view *x, *weight, *labels;
  int64_t tokens, features, vocabulary;
  int64_t rows;  ///< supervised
  float inv_temperature;
  int64_t row_tile, chunk;  ///< chunk: logits columns at a time, a multiple of kSoftmaxStep
  bool gathered;            ///< not all rows are supervised: x's rows are copied together
};

Problem checked_problem(const ftrun_op_call& call, int32_t first_input) {
  const auto& attributes = attributes_of<ftrun_linear_cross_entropy_attributes>(call);
  Problem p{};
  p.x = &call.inputs[first_input];
  p.weight = &call.inputs[first_input + 1];
  p.labels = &call.inputs[first_input + 2];
  require_float(*p.x, "x");
  require_float(*p.weight, "weight");
  require_dtype(*p.labels, FTRUN_I32, "labels");
  for (const ftrun_view* view : {p.x, p.weight, p.labels}) require_contiguous(*view, "x, weight and labels");
  require(p.x->ndim == 2 && p.weight->ndim == 2 && p.x->shape[1] == p.weight->shape[1] &&
              element_count(*p.labels) == p.x->shape[0],
          "must be x [T, D], weight [V, D], labels [T]: " + view_text(*p.x) + ", " + view_text(*p.weight) + ", " +
              view_text(*p.labels));
  p.tokens = p.x->shape[0];
  p.features = p.x->shape[1];
  p.vocabulary = p.weight->shape[0];
  p.inv_temperature = static_cast<float>(attributes.inv_temperature);
  const int32_t* labels = elements_of<int32_t>(*p.labels);
  for (int64_t t = 0; t < p.tokens; ++t) {
    require(labels[t] < p.vocabulary, "label " + std::to_string(labels[t]) + " at position " + std::to_string(t) +
                                          " is outside the vocabulary of " + std::to_string(p.vocabulary));
    p.rows += labels[t] >= 0;
  }
  p.gathered = p.rows != p.tokens;
  p.row_tile = std::max<int64_t>(1, std::min(p.rows, kRowTile));
  const int64_t fitting = kLogitsElements / p.row_tile / kSoftmaxStep * kSoftmaxStep;
  p.chunk = std::min(round_up(p.vocabulary, kSoftmaxStep), std::max(kSoftmaxStep, fitting));
  return p;
}

/// Shared buffers of an op; with an empty carver base only sizes are taken.
struct Buffers {
  int32_t* row_ids;
  char* x_rows;
  float* logits;
  RowSoftmax* states;
  float *dx_sums, *dweight_sums;
};

Buffers carve(const Problem& p, Carver& carver, bool states, bool dx_sums, bool dweight_sums) {
  Buffers b{};
  const int64_t x_row_bytes = p.features * static_cast<int64_t>(FTRUN_DTYPE_BYTES(p.x->dtype));
  b.row_ids = carver.take<int32_t>(p.rows + 1);
  // For every row, gathered or not: a micro-batch with fewer supervised rows must not need more than one with all.
  b.x_rows = carver.take<char>(p.tokens * x_row_bytes);
  // The last vector of a row may spill past it.
  b.logits = carver.take<float>(p.row_tile * p.chunk + 64);
  if (states) b.states = carver.take<RowSoftmax>(p.row_tile);
  if (dx_sums) b.dx_sums = carver.take<float>(p.rows * p.features + 64);
  if (dweight_sums) b.dweight_sums = carver.take<float>(p.chunk * p.features + 64);
  return b;
}

Buffers allocate(Context& ctx, const Problem& p, bool states, bool dx_sums, bool dweight_sums) {
  Carver measure(nullptr);
  carve(p, measure, states, dx_sums, dweight_sums);
  Carver carver(ctx.scratch.shared(measure.bytes()));
  Buffers b = carve(p, carver, states, dx_sums, dweight_sums);
  const int32_t* labels = elements_of<int32_t>(*p.labels);
  const size_t x_row_bytes = static_cast<size_t>(p.features) * FTRUN_DTYPE_BYTES(p.x->dtype);
  int64_t row = 0;
  for (int64_t t = 0; t < p.tokens; ++t) {
    if (labels[t] < 0) continue;
    b.row_ids[row] = static_cast<int32_t>(t);
    if (p.gathered) {
      std::memcpy(b.x_rows + static_cast<size_t>(row) * x_row_bytes,
                  bytes_of(*p.x) + static_cast<size_t>(t) * x_row_bytes, x_row_bytes);
    }
    ++row;
  }
  if (!p.gathered) b.x_rows = bytes_of(*p.x);
  return b;
}

Matrix x_rows(const Problem& p, const Buffers& b, int64_t row) {
  return {b.x_rows + row * p.features * static_cast<int64_t>(FTRUN_DTYPE_BYTES(p.x->dtype)), p.x->dtype, p.features,
          false};
}
Matrix weight_rows(const Problem& p, int64_t first, bool transposed) {
  const ftrun_dtype dtype = p.weight->dtype;
  return {bytes_of(*p.weight) + first * p.features * static_cast<int64_t>(FTRUN_DTYPE_BYTES(dtype)), dtype, p.features,
          transposed};
}

/// Computes the logits of rows [row, row + tile.rows) against the chunk at `column`.
LogitsTile logits_tile(Context& ctx, const Problem& p, const Buffers& b, int64_t row, int64_t column) {
  LogitsTile tile{};
  tile.logits = b.logits;
  tile.rows = std::min(p.row_tile, p.rows - row);
  tile.columns = std::min(p.chunk, p.vocabulary - column);
  tile.stride = p.chunk;
  tile.first_column = column;
  tile.row_ids = b.row_ids + row;
  tile.labels = elements_of<int32_t>(*p.labels);
  tile.inv_temperature = p.inv_temperature;
  GemmCall call{};
  call.m = tile.rows;
  call.n = tile.columns;
  call.k = p.features;
  call.a = x_rows(p, b, row);
  call.b = weight_rows(p, column, true);
  call.c = tile.logits;
  call.c_dtype = FTRUN_F32;
  call.c_row_stride = tile.stride;
  gemm(ctx, call);
  return tile;
}

float* optional_output(const ftrun_view& view, int64_t count, const char* what) {
  if (view.data == nullptr) return nullptr;
  require_dtype(view, FTRUN_F32, what);
  require_contiguous(view, what);
  require(element_count(view) == count, std::string(what) + " must be [T], is " + view_text(view));
  return elements_of<float>(view);
}

const float* row_input(const ftrun_view& view, int64_t count, const char* what) {
  require(view.data != nullptr, std::string(what) + " is missing");
  return optional_output(view, count, what);
}

/// What backward writes and where it sums.
struct Gradients {
  const ftrun_view *dx, *dweight;  ///< NULL where absent
  bool accumulate;
  bool sums_in_place;  ///< dweight is f32: row tiles continue its sums
};

/// dweight rows of the chunk (+)= dlogits^T x, dx sums += dlogits weight.
void add_gradients(Context& ctx, const Problem& p, const Buffers& b, const Gradients& g, const LogitsTile& tile,
                   int64_t row) {
  if (g.dweight != nullptr) {
    GemmCall call{};
    call.m = tile.columns;
    call.n = p.features;
    call.k = tile.rows;
    call.a = {tile.logits, FTRUN_F32, tile.stride, true};
    call.round_a = true;
    call.b = x_rows(p, b, row);
    call.c_row_stride = p.features;
    if (b.dweight_sums != nullptr) {
      call.c = b.dweight_sums;
      call.c_dtype = FTRUN_F32;
      call.output = row == 0 ? GemmOutput::kStore : GemmOutput::kContinue;
    } else {
      call.c_dtype = g.dweight->dtype;
      call.c =
          bytes_of(*g.dweight) + tile.first_column * p.features * static_cast<int64_t>(FTRUN_DTYPE_BYTES(call.c_dtype));
      call.output = g.accumulate ? GemmOutput::kAdd : GemmOutput::kStore;
      if (g.sums_in_place && row > 0) call.output = GemmOutput::kContinue;
    }
    gemm(ctx, call);
  }
  if (g.dx == nullptr) return;
  GemmCall call{};
  call.m = tile.rows;
  call.n = p.features;
  call.k = tile.columns;
  call.a = {tile.logits, FTRUN_F32, tile.stride, false};
  call.round_a = true;
  call.b = weight_rows(p, tile.first_column, false);
  call.c = b.dx_sums + row * p.features;
  call.c_dtype = FTRUN_F32;
  call.c_row_stride = p.features;
  call.output = tile.first_column == 0 ? GemmOutput::kStore : GemmOutput::kContinue;
  gemm(ctx, call);
}

/// Results by token; NULL where absent.
struct RowResults {
  float *loss, *lse, *entropy;
};

/// Rows of the tile at `row`, their softmax not yet begun.
int64_t start_rows(const Problem& p, const Buffers& b, int64_t row) {
  const int64_t rows = std::min(p.row_tile, p.rows - row);
  std::fill(b.states, b.states + rows, RowSoftmax{-std::numeric_limits<float>::infinity(), 0.0f, 0.0f, 0.0f});
  return rows;
}

void finish_rows(const Buffers& b, int64_t row, int64_t rows, const RowResults& results) {
  for (int64_t i = 0; i < rows; ++i) {
    const RowSoftmax& state = b.states[i];
    const int32_t token = b.row_ids[row + i];
    const float log_sum = std::log(state.sum);
    if (results.lse != nullptr) results.lse[token] = state.maximum + log_sum;
    // The difference first: a label that has all the probability gives exactly its log-sum.
    if (results.loss != nullptr) results.loss[token] = (state.maximum - state.picked) + log_sum;
    if (results.entropy != nullptr) results.entropy[token] = log_sum - state.weighted / state.sum;
  }
}

/// dx of the supervised rows from their finished sums.
void finish_dx(Context& ctx, const Problem& p, const Buffers& b, const ftrun_view& dx) {
  ctx.parallel.ranges(p.rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      HWY_DYNAMIC_DISPATCH(finish_span)
      (b.dx_sums + row * p.features, p.features, bytes_of(dx), dx.dtype, b.row_ids[row] * p.features, false);
    }
  });
}

/// The gradients an op writes, checked.
Gradients checked_gradients(const Problem& p, const ftrun_view& dx, const ftrun_view& dweight) {
  Gradients g{};
  if (dx.data != nullptr) g.dx = &dx;
  if (dweight.data != nullptr) g.dweight = &dweight;
  for (const ftrun_view* view : {g.dx, g.dweight}) {
    if (view == nullptr) continue;
    require_float(*view, "dx and dweight");
    require_contiguous(*view, "dx and dweight");
    require_same_shape(*view, view == g.dx ? *p.x : *p.weight, "a gradient and its tensor");
  }
  return g;
}

void zero_all(const ftrun_view& view) {
  std::memset(bytes_of(view), 0, static_cast<size_t>(element_count(view)) * FTRUN_DTYPE_BYTES(view.dtype));
}

}  // namespace

void op_linear_cross_entropy(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 3, 3, 3);
  const Problem p = checked_problem(call, 0);
  float* loss = optional_output(call.outputs[0], p.tokens, "loss");
  float* lse = optional_output(call.outputs[1], p.tokens, "lse");
  float* entropy = optional_output(call.outputs[2], p.tokens, "entropy");
  const Buffers b = allocate(ctx, p, true, false, false);
  for (float* output : {loss, lse, entropy}) {
    if (output != nullptr) std::fill(output, output + p.tokens, 0.0f);
  }
  for (int64_t row = 0; row < p.rows; row += p.row_tile) {
    const int64_t rows = start_rows(p, b, row);
    for (int64_t column = 0; column < p.vocabulary; column += p.chunk) {
      const LogitsTile tile = logits_tile(ctx, p, b, row, column);
      HWY_DYNAMIC_DISPATCH(softmax_tile)(ctx, tile, b.states);
    }
    finish_rows(b, row, rows, {loss, lse, entropy});
  }
}

void op_linear_cross_entropy_backward(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 5, 5, 2);
  const Problem p = checked_problem(call, 1);
  const float* dloss = row_input(call.inputs[0], p.tokens, "dloss");
  const float* lse = row_input(call.inputs[4], p.tokens, "lse");
  Gradients g = checked_gradients(p, call.outputs[0], call.outputs[1]);
  g.accumulate = attributes_of<ftrun_linear_cross_entropy_attributes>(call).accumulate != 0;
  if (g.dx != nullptr) zero_all(*g.dx);
  if (p.rows == 0) {
    if (g.dweight != nullptr && !g.accumulate) zero_all(*g.dweight);
    return;
  }
  const bool many_tiles = p.rows > p.row_tile;
  const Buffers b = allocate(ctx, p, false, g.dx != nullptr, g.dweight != nullptr && many_tiles);
  for (int64_t column = 0; column < p.vocabulary; column += p.chunk) {
    for (int64_t row = 0; row < p.rows; row += p.row_tile) {
      const LogitsTile tile = logits_tile(ctx, p, b, row, column);
      HWY_DYNAMIC_DISPATCH(gradient_tile)(ctx, tile, dloss, lse);
      add_gradients(ctx, p, b, g, tile, row);
    }
    if (b.dweight_sums == nullptr) continue;
    ctx.parallel.ranges(std::min(p.chunk, p.vocabulary - column), 64, [&](int64_t begin, int64_t end) {
      HWY_DYNAMIC_DISPATCH(finish_span)
      (b.dweight_sums + begin * p.features, (end - begin) * p.features, bytes_of(*g.dweight), g.dweight->dtype,
       (column + begin) * p.features, g.accumulate);
    });
  }
  if (g.dx != nullptr) finish_dx(ctx, p, b, *g.dx);
}

void op_linear_cross_entropy_with_gradients(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 4, 4, 4);
  Problem p = checked_problem(call, 0);
  const float* dloss = row_input(call.inputs[3], p.tokens, "dloss");
  require(attributes_of<ftrun_linear_cross_entropy_attributes>(call).accumulate == 0, "accumulate must be 0");
  const RowResults results = {optional_output(call.outputs[0], p.tokens, "loss"),
                              optional_output(call.outputs[1], p.tokens, "lse"), nullptr};
  require(results.loss != nullptr && results.lse != nullptr, "loss and lse must be present");
  Gradients g = checked_gradients(p, call.outputs[2], call.outputs[3]);
  g.sums_in_place = true;
  if (g.dweight != nullptr) require_dtype(*g.dweight, FTRUN_F32, "dweight");
  std::fill(results.loss, results.loss + p.tokens, 0.0f);
  std::fill(results.lse, results.lse + p.tokens, 0.0f);
  if (g.dx != nullptr) zero_all(*g.dx);
  if (p.rows == 0) {
    if (g.dweight != nullptr) zero_all(*g.dweight);
    return;
  }
  p.chunk = round_up(p.vocabulary, kSoftmaxStep);
  const int64_t fitting = ctx.whole_rows_bytes / (p.chunk * static_cast<int64_t>(sizeof(float)));
  // Never all rows at once, even where all would fit: the logits of a micro-batch do not exist as a whole.
  const int64_t half = round_up((p.rows + 1) / 2, kFewestWholeRows);
  const int64_t most = std::min(half, fitting / kFewestWholeRows * kFewestWholeRows);
  p.row_tile = std::min(p.rows, std::max(kFewestWholeRows, most));
  const Buffers b = allocate(ctx, p, true, g.dx != nullptr, false);
  for (int64_t row = 0; row < p.rows; row += p.row_tile) {
    const int64_t rows = start_rows(p, b, row);
    const LogitsTile tile = logits_tile(ctx, p, b, row, 0);
    HWY_DYNAMIC_DISPATCH(softmax_tile)(ctx, tile, b.states);
    finish_rows(b, row, rows, results);
    HWY_DYNAMIC_DISPATCH(gradient_tile)(ctx, tile, dloss, results.lse);
    add_gradients(ctx, p, b, g, tile, row);
  }
  if (g.dx != nullptr) finish_dx(ctx, p, b, *g.dx);
}

}  // namespace ftrun::kernels
#endif
