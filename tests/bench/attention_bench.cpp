// Causal grouped-query attention over rows of `seq` tokens.
#include <vector>

#include "ftrun/ops.h"
#include "tests/bench/families.h"
#include "tests/bench/op_measure.h"

namespace ftrun::bench {
namespace {

struct Operands {
  Tensor q, k, v, out, lse;
  std::vector<int32_t> offsets;
  ftrun_attention_attributes values;
};

Operands make_operands(Machine& machine, ftrun_dtype dtype) {
  const Sizes& sizes = machine.sizes();
  const int64_t tokens = sizes.tokens;
  const Shape queries{tokens, kQueryHeads, kHeadDim}, keys{tokens, kKeyValueHeads, kHeadDim};
  Operands o{machine.random(dtype, queries),
             machine.random(dtype, keys),
             machine.random(dtype, keys),
             machine.zeros(dtype, queries),
             machine.zeros(FTRUN_F32, {kQueryHeads, tokens}),
             {},
             {}};
  for (int64_t at = 0; at <= tokens; at += sizes.seq) o.offsets.push_back(static_cast<int32_t>(at));
  o.values = attributes<ftrun_attention_attributes>();
  o.values.scale = 0.125;
  o.values.causal = 1;
  o.values.n_segments = static_cast<int32_t>(o.offsets.size()) - 1;
  o.values.query_offsets = o.offsets.data();
  return o;
}

/// Of one [seq x seq] product under the causal mask, over all rows and heads.
double product_flops(const Sizes& sizes) {
  return static_cast<double>(sizes.tokens) * static_cast<double>(sizes.seq) *
         static_cast<double>(kQueryHeads * kHeadDim);
}

void forward(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Operands o = make_operands(machine, dtype);
  const OpRun run{FTRUN_OP_FLASH_ATTENTION, {o.q, o.k, o.v}, {o.out, o.lse}, &o.values};
  against_gemm_peak(state, machine, run, 2 * product_flops(machine.sizes()), dtype);
}

/// Five products: the scores again, and the gradients of v, the probabilities, q and k.
void backward(benchmark::State& state, Machine& machine, ftrun_dtype dtype) {
  const Operands o = make_operands(machine, dtype);
  execute(machine.ctx(), FTRUN_OP_FLASH_ATTENTION, {o.q, o.k, o.v}, {o.out, o.lse}, &o.values);
  const Tensor dout = machine.random(dtype, o.out.shape());
  const OpRun run{
      FTRUN_OP_FLASH_ATTENTION_BACKWARD,
      {dout, o.q, o.k, o.v, o.out, o.lse},
      {machine.zeros(dtype, o.q.shape()), machine.zeros(dtype, o.k.shape()), machine.zeros(dtype, o.v.shape())},
      &o.values};
  against_gemm_peak(state, machine, run, 5 * product_flops(machine.sizes()), dtype);
}

}  // namespace

void register_attention(Machine& machine) {
  register_dtypes("attention/forward", machine, forward);
  register_dtypes("attention/backward", machine, backward);
}

}  // namespace ftrun::bench
