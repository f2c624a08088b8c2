// RMS norm, rotary embedding and swiglu in float64.
#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/rms_norm.h"
#include "core/ops/rope.h"
#include "core/ops/swiglu.h"
#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

constexpr double kEps = 1e-5;

OpCase rms_norm_case(const std::string& name, std::vector<int64_t> shape) {
  OpCase op;
  const int64_t features = shape.back();
  op.name = name;
  op.inputs = {{shape, -2.0, 2.0}, {{features}, 0.5, 1.5}};
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::rms_norm(engine.ctx(), in[0], in[1], kEps);
  };
  op.reference = [features](const std::vector<Array>& in) {
    Array y = in[0];
    for (int64_t row = 0; row < y.count() / features; ++row) {
      double squares = 0.0;
      for (int64_t i = 0; i < features; ++i) squares += in[0][row * features + i] * in[0][row * features + i];
      const double rstd = 1.0 / std::sqrt(squares / static_cast<double>(features) + kEps);
      for (int64_t i = 0; i < features; ++i) y[row * features + i] *= rstd * in[1][i];
    }
    return y;
  };
  op.sum_length = 2 * features;
  op.roundings = 3;
  return op;
}

/// x + delta and its norm, added so that gradients flow through both outputs.
OpCase add_rms_norm_case(const std::string& name, std::vector<int64_t> shape) {
  OpCase op = rms_norm_case(name, shape);
  op.inputs.insert(op.inputs.begin() + 1, {shape, -1.0, 1.0});
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    const auto [sum, y] = ops::add_rms_norm(engine.ctx(), in[0], in[1], in[2], kEps);
    return ops::add(engine.ctx(), sum, y);
  };
  op.reference = [norm = op.reference](const std::vector<Array>& in) {
    Array sum = in[0];
    for (int64_t i = 0; i < sum.count(); ++i) sum[i] += in[1][i];
    Array y = norm({sum, in[2]});
    for (int64_t i = 0; i < sum.count(); ++i) y[i] += sum[i];
    return y;
  };
  op.roundings += 2;
  return op;
}

OpCase rope_case(int64_t heads, int64_t head_dim) {
  static const std::vector<int32_t> kPositions = {0, 1, 2, 0, 9};
  const int64_t half = head_dim / 2;
  OpCase op;
  op.name = "rope_h" + std::to_string(heads) + "_c" + std::to_string(head_dim);
  op.inputs = {{{5, heads, head_dim}}};
  op.run = [half](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    std::vector<double> inv_freq;
    for (int64_t i = 0; i < half; ++i) inv_freq.push_back(1.0 / static_cast<double>(1 << i));
    const ops::RopeTable table =
        ops::rope_table(engine.ctx(), engine.ids(kPositions), engine.tensor({half}, inv_freq), 1.25);
    return ops::rope(engine.ctx(), in[0], table);
  };
  op.reference = [half, heads](const std::vector<Array>& in) {
    Array y = in[0];
    for (int64_t row = 0; row < 5 * heads; ++row) {
      const int32_t position = kPositions[static_cast<size_t>(row / heads)];
      for (int64_t i = 0; i < half; ++i) {
        const double angle = position / static_cast<double>(1 << i);
        const double x1 = in[0][row * 2 * half + i];
        const double x2 = in[0][row * 2 * half + half + i];
        y[row * 2 * half + i] = 1.25 * (x1 * std::cos(angle) - x2 * std::sin(angle));
        y[row * 2 * half + half + i] = 1.25 * (x2 * std::cos(angle) + x1 * std::sin(angle));
      }
    }
    return y;
  };
  op.sum_length = 2;
  return op;
}

OpCase swiglu_case() {
  OpCase op;
  op.name = "swiglu";
  op.inputs = {{{5, 7}, -3.0, 3.0}, {{5, 7}, -2.0, 2.0}};
  op.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::swiglu(engine.ctx(), in[0], in[1]);
  };
  op.reference = [](const std::vector<Array>& in) {
    Array y = in[0];
    for (int64_t i = 0; i < y.count(); ++i) y[i] = in[0][i] / (1.0 + std::exp(-in[0][i])) * in[1][i];
    return y;
  };
  op.roundings = 2;
  op.sum_length = 4;
  return op;
}

}  // namespace

std::vector<OpCase> decoder_cases() {
  return {rms_norm_case("rms_norm", {5, 19}),
          rms_norm_case("rms_norm_heads", {3, 2, 8}),
          rms_norm_case("rms_norm_one_row", {1, 33}),
          add_rms_norm_case("add_rms_norm", {5, 19}),
          add_rms_norm_case("add_rms_norm_one_row", {1, 33}),
          rope_case(3, 8),
          rope_case(1, 2),
          swiglu_case()};
}

}  // namespace ftrun::test
