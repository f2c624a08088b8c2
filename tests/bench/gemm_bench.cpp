// The linear layers of a block: forward, the gradient of the input, the gradient of the weight; those of a low-rank
// pair.
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

/// Rank of the pairs of configs/*_lora.yaml.
constexpr int64_t kRank = 8;

/// One product of a pair h = x A^T, y += s h B^T: sizes by the linear layer's, T tokens.
struct PairProduct {
  const char* name;
  int32_t transpose_a, transpose_b, accumulate;
  int64_t (*m)(const Linear&, int64_t tokens);
  int64_t (*n)(const Linear&, int64_t tokens);
  int64_t (*k)(const Linear&, int64_t tokens);
};

int64_t tokens_of(const Linear& /*linear*/, int64_t tokens) { return tokens; }
int64_t rank_of(const Linear& /*linear*/, int64_t /*tokens*/) { return kRank; }
int64_t in_of(const Linear& linear, int64_t /*tokens*/) { return linear.in; }
int64_t out_of(const Linear& linear, int64_t /*tokens*/) { return linear.out; }

constexpr PairProduct kPairProducts[] = {
    {"h", 0, 1, 0, tokens_of, rank_of, in_of},   {"y", 0, 1, 1, tokens_of, out_of, rank_of},
    {"dB", 1, 0, 0, out_of, rank_of, tokens_of}, {"dh", 0, 0, 0, tokens_of, rank_of, out_of},
    {"dA", 1, 0, 0, rank_of, in_of, tokens_of},  {"dx", 0, 0, 1, tokens_of, in_of, rank_of}};

void measure_pair(benchmark::State& state, Machine& machine, ftrun_dtype dtype, const Linear& linear,
                  const PairProduct& product) {
  const int64_t tokens = machine.sizes().tokens;
  const int64_t m = product.m(linear, tokens), n = product.n(linear, tokens), k = product.k(linear, tokens);
  auto values = attributes<ftrun_matmul_attributes>();
  values.transpose_a = product.transpose_a;
  values.transpose_b = product.transpose_b;
  values.accumulate = product.accumulate;
  values.alpha = 1.0;
  const Tensor a = machine.random(dtype, product.transpose_a != 0 ? Shape{k, m} : Shape{m, k});
  const Tensor b = machine.random(dtype, product.transpose_b != 0 ? Shape{n, k} : Shape{k, n}, 0.02);
  const Tensor c = machine.random(dtype, {m, n});
  const OpRun run{FTRUN_OP_MATMUL, {a, b}, {c}, &values};
  against_gemm_peak(state, machine, run, 2.0 * static_cast<double>(m) * static_cast<double>(n * k), dtype);
}

void register_pairs(Machine& machine) {
  for (const Linear& linear : kLinears) {
    for (const PairProduct& product : kPairProducts) {
      register_dtypes(std::string("low_rank/") + linear.name + "/" + product.name, machine,
                      [&linear, &product](benchmark::State& state, Machine& m, ftrun_dtype dtype) {
                        measure_pair(state, m, dtype, linear, product);
                      });
    }
  }
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
  register_pairs(machine);
}

}  // namespace ftrun::bench
