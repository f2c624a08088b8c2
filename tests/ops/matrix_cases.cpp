// Matrix products, linear layers and gathers in float64.
#include <array>

#include "core/ops/elementwise.h"
#include "core/ops/embedding.h"
#include "core/ops/matmul.h"
#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

struct Flags {
  bool transpose_a;
  bool transpose_b;
};

Array product(const Array& a, const Array& b, Flags flags, double alpha) {
  const size_t axes = a.shape.size();
  const int64_t batch = axes == 3 ? a.shape[0] : 1;
  const int64_t m = a.shape[axes - (flags.transpose_a ? 1 : 2)];
  const int64_t k = a.shape[axes - (flags.transpose_a ? 2 : 1)];
  const int64_t n = b.shape[axes - (flags.transpose_b ? 2 : 1)];
  Array c = zeros(axes == 3 ? std::vector<int64_t>{batch, m, n} : std::vector<int64_t>{m, n});
  for (int64_t s = 0; s < batch; ++s) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t l = 0; l < k; ++l) {
          c[(s * m + i) * n + j] += alpha * a[s * m * k + (flags.transpose_a ? l * m + i : i * k + l)] *
                                    b[s * k * n + (flags.transpose_b ? j * k + l : l * n + j)];
        }
      }
    }
  }
  return c;
}

OpCase matmul_case(Flags flags, bool batched) {
  OpCase op;
  op.name = std::string("matmul") + (flags.transpose_a ? "_at" : "") + (flags.transpose_b ? "_bt" : "") +
            (batched ? "_batched" : "");
  std::vector<int64_t> a = flags.transpose_a ? std::vector<int64_t>{5, 3} : std::vector<int64_t>{3, 5};
  std::vector<int64_t> b = flags.transpose_b ? std::vector<int64_t>{4, 5} : std::vector<int64_t>{5, 4};
  if (batched) {
    a.insert(a.begin(), 2);
    b.insert(b.begin(), 2);
  }
  op.inputs = {{a}, {b}};
  op.run = [flags](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::matmul(engine.ctx(), in[0], in[1], flags.transpose_a, flags.transpose_b, 0.5);
  };
  op.reference = [flags](const std::vector<Array>& in) { return product(in[0], in[1], flags, 0.5); };
  op.sum_length = 5;
  return op;
}

/// Two linears of one input, the first with a bias; the outputs have equal shape and are added.
OpCase linear_case() {
  OpCase op;
  op.name = "linear_two_weights_one_bias";
  op.inputs = {{{7, 5}}, {{3, 5}}, {{3, 5}}, {{3}}};
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    const std::vector<Tensor> y =
        ops::linear(engine.ctx(), in[0], std::span(in).subspan(1, 2), std::span(in).subspan(3, 1));
    return ops::add(engine.ctx(), y[0], y[1]);
  };
  op.reference = [](const std::vector<Array>& in) {
    Array y = product(in[0], in[1], {false, true}, 1.0);
    const Array other = product(in[0], in[2], {false, true}, 1.0);
    for (int64_t i = 0; i < y.count(); ++i) y[i] += other[i] + in[3][i % 3];
    return y;
  };
  op.sum_length = 10;
  op.roundings = 3;
  return op;
}

/// A trained pair beside a frozen or trained weight; the second linear has none.
OpCase linear_with_low_rank_pair() {
  OpCase op;
  op.name = "linear_low_rank_pair";
  op.inputs = {{{7, 5}}, {{3, 5}}, {{3, 5}}, {{2, 5}}, {{3, 2}}};
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    const std::array pairs = {ops::LowRankPair{in[3], in[4], 0.5}};
    const std::vector<Tensor> y = ops::linear(engine.ctx(), in[0], std::span(in).subspan(1, 2), {}, pairs);
    return ops::add(engine.ctx(), y[0], y[1]);
  };
  op.reference = [](const std::vector<Array>& in) {
    Array y = product(in[0], in[1], {false, true}, 1.0);
    const Array other = product(in[0], in[2], {false, true}, 1.0);
    const Array low = product(product(in[0], in[3], {false, true}, 1.0), in[4], {false, true}, 0.5);
    for (int64_t i = 0; i < y.count(); ++i) y[i] += other[i] + low[i];
    return y;
  };
  op.sum_length = 20;
  op.roundings = 5;
  return op;
}

OpCase linear_of_three_axes() {
  OpCase op;
  op.name = "linear_three_axes";
  op.inputs = {{{2, 3, 5}}, {{4, 5}}};
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::linear(engine.ctx(), in[0], in[1]);
  };
  op.reference = [](const std::vector<Array>& in) {
    Array flat = in[0];
    flat.shape = {6, 5};
    Array y = product(flat, in[1], {false, true}, 1.0);
    y.shape = {2, 3, 4};
    return y;
  };
  op.sum_length = 6;
  return op;
}

OpCase embedding_case() {
  static const std::vector<int32_t> kIds = {3, 0, 3, 5, 3, 1};
  OpCase op;
  op.name = "embedding";
  op.inputs = {{{6, 4}}};
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::embedding(engine.ctx(), in[0], engine.ids(kIds));
  };
  op.reference = [](const std::vector<Array>& in) {
    Array y = zeros({6, 4});
    for (int64_t t = 0; t < 6; ++t) {
      for (int64_t c = 0; c < 4; ++c) y[t * 4 + c] = in[0][kIds[static_cast<size_t>(t)] * 4 + c];
    }
    return y;
  };
  op.sum_length = 3;
  return op;
}

OpCase gather_last_case() {
  static const std::vector<int32_t> kIds = {2, -1, 0, 6};
  OpCase op;
  op.name = "gather_last";
  op.inputs = {{{4, 7}}};
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::gather_last(engine.ctx(), in[0], engine.ids(kIds));
  };
  op.reference = [](const std::vector<Array>& in) {
    Array y = zeros({4});
    for (int64_t t = 0; t < 4; ++t) {
      const int32_t id = kIds[static_cast<size_t>(t)];
      if (id >= 0) y[t] = in[0][t * 7 + id];
    }
    return y;
  };
  return op;
}

}  // namespace

std::vector<OpCase> matrix_cases() {
  std::vector<OpCase> cases;
  for (const bool batched : {false, true}) {
    for (const Flags flags : {Flags{false, false}, Flags{false, true}, Flags{true, false}, Flags{true, true}}) {
      cases.push_back(matmul_case(flags, batched));
    }
  }
  cases.push_back(linear_case());
  cases.push_back(linear_with_low_rank_pair());
  cases.push_back(linear_of_three_axes());
  cases.push_back(embedding_case());
  cases.push_back(gather_last_case());
  return cases;
}

}  // namespace ftrun::test
