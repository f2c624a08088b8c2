// AdamW and the gradient norm over the parameters of one block.
#include "ftrun/ops.h"
#include "tests/bench/families.h"
#include "tests/bench/op_measure.h"

namespace ftrun::bench {
namespace {

/// Weights of the linears of one block.
constexpr int64_t kBlockElements =
    2 * kHidden * kHidden + 2 * kKeyValueHeads * kHeadDim * kHidden + 3 * kFeedForward * kHidden;

int64_t elements(const Machine& machine) {
  return machine.sizes().tokens < Sizes().tokens ? kBlockElements / 64 : kBlockElements;
}

/// bf16: gradient and parameter in bf16 beside the f32 master; f32: the master is the parameter.
void adamw(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Shape shape{elements(machine)};
  auto values = attributes<ftrun_adamw_attributes>();
  values.learning_rate = 1e-5;
  values.beta1 = 0.9;
  values.beta2 = 0.999;
  values.eps = 1e-8;
  values.weight_decay = 0.01;
  values.bias_correction1 = 0.1;
  values.bias_correction2 = 0.001;
  values.grad_scale = 1.0;
  const Tensor gradient = machine.random(dtype, shape), master = machine.random(FTRUN_F32, shape);
  const Tensor m = machine.zeros(FTRUN_F32, shape), v = machine.zeros(FTRUN_F32, shape);
  const Tensor parameter = dtype == FTRUN_BF16 ? machine.zeros(dtype, shape) : Tensor();
  against_bandwidth(state, machine, {FTRUN_OP_ADAMW, {gradient, master, m, v}, {master, m, v, parameter}, &values});
}

void norm(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const int64_t n = elements(machine);
  against_bandwidth(
      state, machine,
      {FTRUN_OP_SUM_SQUARES, {machine.random(dtype, {n})}, {machine.zeros(FTRUN_F64, {(n + 1023) / 1024})}});
}

}  // namespace

void register_optimizer(Machine& machine) {
  register_dtypes("optimizer/adamw", machine, adamw);
  register_dtypes("optimizer/gradient_norm", machine, norm);
}

}  // namespace ftrun::bench
