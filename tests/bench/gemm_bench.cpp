// The linear layers of a block: forward, the gradient of the input, the gradient of the weight.
#include "ftrun/ops.h"
#include "tests/bench/families.h"
#include "tests/bench/op_measure.h"

namespace ftrun::bench {
namespace {

struct Linear {
  const char* name;
  int64_t out, in;
};

constexpr Linear kLinears[] = {{"q_and_o", kHidden, kHidden},
                               {"k_or_v", kKeyValueHeads* kHeadDim, kHidden},
                               {"gate_or_up", kFeedForward, kHidden},
                               {"down", kHidden, kFeedForward}};

struct Direction {
  const char* name;
  int32_t transpose_a, transpose_b;
};

// y = x W^T, dx = dy W, dW = dy^T x.
constexpr Direction kDirections[] = {{"forward", 0, 1}, {"input_gradient", 0, 0}, {"weight_gradient", 1, 0}};

void measure(benchmark::State& state, Machine& machine, ftrun_dtype dtype, const Linear& linear,
             const Direction& direction) {
  const int64_t tokens = machine.sizes().tokens;
  auto values = attributes<ftrun_matmul_attributes>();
  values.transpose_a = direction.transpose_a;
  values.transpose_b = direction.transpose_b;
  values.alpha = 1.0;
  const Tensor x = machine.random(dtype, {tokens, linear.in});
  const Tensor y = machine.random(dtype, {tokens, linear.out});
  const Tensor weight = machine.random(dtype, {linear.out, linear.in}, 0.02);
  OpRun run{FTRUN_OP_MATMUL, {x, weight}, {y}, &values};
  if (direction.transpose_a != 0) {
    run.inputs = {y, x};
    run.outputs = {weight};
  } else if (direction.transpose_b == 0) {
    run.inputs = {y, weight};
    run.outputs = {x};
  }
  const double flops = 2.0 * static_cast<double>(tokens) * static_cast<double>(linear.out * linear.in);
  against_gemm_peak(state, machine, run, flops, dtype);
}

}  // namespace

void register_gemm(Machine& machine) {
  for (const Linear& linear : kLinears) {
    for (const Direction& direction : kDirections) {
      register_dtypes(std::string("gemm/") + linear.name + "/" + direction.name, machine,
                      [&linear, &direction](benchmark::State& state, Machine& m, ftrun_dtype dtype) {
                        measure(state, m, dtype, linear, direction);
                      });
    }
  }
}

}  // namespace ftrun::bench
