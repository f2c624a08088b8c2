// The head with its loss: one product forward, two for the gradients, one more where the logits are computed again.
#include "ftrun/ops.h"
#include "tests/bench/families.h"
#include "tests/bench/op_measure.h"

namespace ftrun::bench {
namespace {

struct Operands {
  Tensor x, weight, labels, dloss, loss, lse, dx;
  ftrun_linear_cross_entropy_attributes values;
};

Operands make_operands(Machine& machine, ftrun_dtype dtype) {
  const Sizes& sizes = machine.sizes();
  const Shape tokens{sizes.tokens};
  Operands o{machine.random(dtype, {sizes.tokens, kHidden}),
             machine.random(dtype, {sizes.vocabulary, kHidden}, 0.02),
             machine.integers(tokens, static_cast<int32_t>(sizes.vocabulary)),
             machine.random(FTRUN_F32, tokens),
             machine.zeros(FTRUN_F32, tokens),
             machine.zeros(FTRUN_F32, tokens),
             machine.zeros(dtype, {sizes.tokens, kHidden}),
             attributes<ftrun_linear_cross_entropy_attributes>()};
  o.values.inv_temperature = 1.0;
  return o;
}

double product_flops(const Sizes& sizes) {
  return 2.0 * static_cast<double>(sizes.tokens) * static_cast<double>(sizes.vocabulary * kHidden);
}

void forward(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Operands o = make_operands(machine, dtype);
  const OpRun run{FTRUN_OP_LINEAR_CROSS_ENTROPY, {o.x, o.weight, o.labels}, {o.loss, o.lse, Tensor()}, &o.values};
  against_gemm_peak(state, machine, run, product_flops(machine.sizes()), dtype);
}

void backward(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Operands o = make_operands(machine, dtype);
  execute(machine.ctx(), FTRUN_OP_LINEAR_CROSS_ENTROPY, {o.x, o.weight, o.labels}, {o.loss, o.lse, Tensor()},
          &o.values);
  const Tensor dweight = machine.zeros(dtype, o.weight.shape());
  const OpRun run{
      FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD, {o.dloss, o.x, o.weight, o.labels, o.lse}, {o.dx, dweight}, &o.values};
  against_gemm_peak(state, machine, run, 3 * product_flops(machine.sizes()), dtype);
}

void with_gradients(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Operands o = make_operands(machine, dtype);
  const Tensor dweight = machine.zeros(FTRUN_F32, o.weight.shape());
  const OpRun run{FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS,
                  {o.x, o.weight, o.labels, o.dloss},
                  {o.loss, o.lse, o.dx, dweight},
                  &o.values};
  against_gemm_peak(state, machine, run, 3 * product_flops(machine.sizes()), dtype);
}

}  // namespace

void register_cross_entropy(Machine& machine) {
  register_dtypes("cross_entropy/forward", machine, forward);
  register_dtypes("cross_entropy/backward", machine, backward);
  register_dtypes("cross_entropy/with_gradients", machine, with_gradients);
}

}  // namespace ftrun::bench
