// What stands between the products of a block: memory is their limit.
#include "ftrun/ops.h"
#include "tests/bench/families.h"
#include "tests/bench/op_measure.h"

namespace ftrun::bench {
namespace {

ftrun_rms_norm_attributes norm_values() {
  auto values = attributes<ftrun_rms_norm_attributes>();
  values.eps = 1e-6;
  return values;
}

void rms_norm(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const int64_t tokens = machine.sizes().tokens;
  const auto values = norm_values();
  const OpRun run{FTRUN_OP_RMS_NORM,
                  {machine.random(dtype, {tokens, kHidden}), machine.random(dtype, {kHidden})},
                  {machine.zeros(dtype, {tokens, kHidden}), machine.zeros(FTRUN_F32, {tokens})},
                  &values};
  against_bandwidth(state, machine, run);
}

void rms_norm_backward(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const int64_t tokens = machine.sizes().tokens;
  const auto values = norm_values();
  const OpRun run{FTRUN_OP_RMS_NORM_BACKWARD,
                  {machine.random(dtype, {tokens, kHidden}), machine.random(dtype, {tokens, kHidden}),
                   machine.random(dtype, {kHidden}), machine.random(FTRUN_F32, {tokens})},
                  {machine.zeros(dtype, {tokens, kHidden}), machine.zeros(dtype, {kHidden})},
                  &values};
  against_bandwidth(state, machine, run);
}

void rope_in_place(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const int64_t tokens = machine.sizes().tokens;
  const auto values = attributes<ftrun_rope_attributes>();
  const Tensor x = machine.random(dtype, {tokens, kQueryHeads, kHeadDim});
  // An angle of zero turns nothing: values stay finite however often this runs.
  const Tensor sine = machine.zeros(FTRUN_F32, {tokens, kHeadDim / 2});
  auto one = attributes<ftrun_fill_attributes>();
  one.value = 1.0;
  const Tensor cosine = machine.duplicate(sine);
  execute(machine.ctx(), FTRUN_OP_FILL, {}, {cosine}, &one);
  against_bandwidth(state, machine, {FTRUN_OP_ROPE, {x, cosine, sine}, {x}, &values});
}

void swiglu(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Shape shape{machine.sizes().tokens, kFeedForward};
  against_bandwidth(
      state, machine,
      {FTRUN_OP_SWIGLU, {machine.random(dtype, shape), machine.random(dtype, shape)}, {machine.zeros(dtype, shape)}});
}

void swiglu_backward(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Shape shape{machine.sizes().tokens, kFeedForward};
  against_bandwidth(state, machine,
                    {FTRUN_OP_SWIGLU_BACKWARD,
                     {machine.random(dtype, shape), machine.random(dtype, shape), machine.random(dtype, shape)},
                     {machine.zeros(dtype, shape), machine.zeros(dtype, shape)}});
}

void residual_add(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Shape shape{machine.sizes().tokens, kHidden};
  against_bandwidth(
      state, machine,
      {FTRUN_OP_ADD, {machine.random(dtype, shape), machine.random(dtype, shape)}, {machine.zeros(dtype, shape)}});
}

void cast_from_f32(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Shape shape{machine.sizes().tokens, kFeedForward};
  against_bandwidth(state, machine, {FTRUN_OP_COPY, {machine.random(FTRUN_F32, shape)}, {machine.zeros(dtype, shape)}});
}

/// Rows that are read and written; the rest of the table is not touched.
void embedding(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Sizes& sizes = machine.sizes();
  const OpRun run{FTRUN_OP_GATHER_ROWS,
                  {machine.zeros(dtype, {sizes.vocabulary, kHidden}),
                   machine.integers({sizes.tokens}, static_cast<int32_t>(sizes.vocabulary))},
                  {machine.zeros(dtype, {sizes.tokens, kHidden})}};
  against_bandwidth(state, machine, run, 2 * static_cast<double>(run.outputs[0].bytes()));
}

}  // namespace

void register_elementwise(Machine& machine) {
  register_dtypes("elementwise/rms_norm", machine, rms_norm);
  register_dtypes("elementwise/rms_norm_backward", machine, rms_norm_backward);
  register_dtypes("elementwise/rope_in_place", machine, rope_in_place);
  register_dtypes("elementwise/swiglu", machine, swiglu);
  register_dtypes("elementwise/swiglu_backward", machine, swiglu_backward);
  register_dtypes("elementwise/residual_add", machine, residual_add);
  register_dtypes("elementwise/copy_from_f32", machine, cast_from_f32);
  register_dtypes("elementwise/embedding", machine, embedding);
}

}  // namespace ftrun::bench
