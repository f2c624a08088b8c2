// Elementwise ops in float64.
#include <cmath>

#include "core/ops/elementwise.h"
#include "tests/ops/op_case.h"

namespace ftrun::test {
namespace {

using Scalar = double (*)(double);
using Scalar2 = double (*)(double, double);

/// b's element that meets element i of a.
double broadcast_at(const Array& a, const Array& b, int64_t i) {
  if (b.shape == a.shape) return b[i];
  if (b.count() == 1) return b[0];
  if (b.shape.size() == 1) return b[i % a.last()];
  return b[i / a.last()];
}

OpCase unary_case(const std::string& name, Scalar function, double low = -2.0, double high = 2.0) {
  OpCase op;
  op.name = name;
  op.inputs = {{{3, 7}, low, high}};
  op.run = [name](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::unary(engine.ctx(), name, in[0]);
  };
  op.reference = [function](const std::vector<Array>& in) {
    Array y = in[0];
    for (double& value : y.values) value = function(value);
    return y;
  };
  return op;
}

OpCase binary_case(const std::string& name, Scalar2 function, std::vector<int64_t> shape_b, bool away_from_zero) {
  OpCase op;
  op.name = name + "_b" + shape_text(Shape(shape_b));
  op.inputs = {{{2, 3, 5}, -2.0, 2.0}, {shape_b, away_from_zero ? 0.5 : -2.0, 2.0}};
  op.run = [name](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::binary(engine.ctx(), name, in[0], in[1]);
  };
  op.reference = [function](const std::vector<Array>& in) {
    Array y = in[0];
    for (int64_t i = 0; i < y.count(); ++i) y[i] = function(in[0][i], broadcast_at(in[0], in[1], i));
    return y;
  };
  op.sum_length = 30;
  op.roundings = 2;
  return op;
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void append_unary(std::vector<OpCase>& cases) {
  cases.push_back(unary_case("neg", [](double x) { return -x; }));
  cases.push_back(unary_case("exp", [](double x) { return std::exp(x); }));
  cases.push_back(unary_case(
      "log", [](double x) { return std::log(x); }, 0.5, 3.0));
  cases.push_back(unary_case(
      "sqrt", [](double x) { return std::sqrt(x); }, 0.5, 3.0));
  cases.push_back(unary_case(
      "rsqrt", [](double x) { return 1.0 / std::sqrt(x); }, 0.5, 3.0));
  cases.push_back(unary_case("square", [](double x) { return x * x; }));
  cases.push_back(unary_case(
      "reciprocal", [](double x) { return 1.0 / x; }, 0.5, 3.0));
  cases.push_back(unary_case("sigmoid", sigmoid));
  cases.push_back(unary_case("log_sigmoid", [](double x) { return -std::log1p(std::exp(-x)); }));
  cases.push_back(unary_case("silu", [](double x) { return x * sigmoid(x); }));
  cases.push_back(unary_case("relu", [](double x) { return x > 0.0 ? x : 0.0; }));
  cases.push_back(unary_case("tanh", [](double x) { return std::tanh(x); }));
  cases.push_back(unary_case("abs", [](double x) { return std::fabs(x); }));
  cases.push_back(unary_case("sin", [](double x) { return std::sin(x); }));
  cases.push_back(unary_case("cos", [](double x) { return std::cos(x); }));
  for (OpCase& op : cases) op.roundings = 4;  // rules made of y round it once more
}

void append_binary(std::vector<OpCase>& cases) {
  for (const std::vector<int64_t>& shape_b : {std::vector<int64_t>{2, 3, 5}, std::vector<int64_t>{1},
                                              std::vector<int64_t>{5}, std::vector<int64_t>{2, 3, 1}}) {
    cases.push_back(binary_case(
        "add", [](double a, double b) { return a + b; }, shape_b, false));
    cases.push_back(binary_case(
        "sub", [](double a, double b) { return a - b; }, shape_b, false));
    cases.push_back(binary_case(
        "mul", [](double a, double b) { return a * b; }, shape_b, false));
    cases.push_back(binary_case(
        "div", [](double a, double b) { return a / b; }, shape_b, true));
    cases.push_back(binary_case(
        "maximum", [](double a, double b) { return a > b ? a : b; }, shape_b, false));
    cases.push_back(binary_case(
        "minimum", [](double a, double b) { return a < b ? a : b; }, shape_b, false));
  }
}

void append_with_attributes(std::vector<OpCase>& cases) {
  OpCase affine;
  affine.name = "affine";
  affine.inputs = {{{11}}};
  affine.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::affine(engine.ctx(), in[0], -1.5, 0.25);
  };
  affine.reference = [](const std::vector<Array>& in) {
    Array y = in[0];
    for (double& value : y.values) value = -1.5 * value + 0.25;
    return y;
  };
  cases.push_back(affine);

  OpCase clamp = affine;
  clamp.name = "clamp";
  clamp.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::clamp(engine.ctx(), in[0], -0.5, 0.25);
  };
  clamp.reference = [](const std::vector<Array>& in) {
    Array y = in[0];
    for (double& value : y.values) value = std::fmin(std::fmax(value, -0.5), 0.25);
    return y;
  };
  cases.push_back(clamp);

  OpCase axpy;
  axpy.name = "axpy";
  axpy.inputs = {{{3, 4}}, {{3, 4}}};
  axpy.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    return ops::axpy(engine.ctx(), in[0], in[1], 0.75);
  };
  axpy.reference = [](const std::vector<Array>& in) {
    Array y = in[1];
    for (int64_t i = 0; i < y.count(); ++i) y[i] += 0.75 * in[0][i];
    return y;
  };
  cases.push_back(axpy);

  OpCase select;
  select.name = "select";
  select.inputs = {{{3, 4}}, {{3, 4}}};
  select.run = [](ReferenceEngine& engine, const std::vector<Tensor>& in) {
    const Tensor condition = engine.tensor({3, 4}, {1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1});
    return ops::select(engine.ctx(), condition, in[0], in[1]);
  };
  select.reference = [](const std::vector<Array>& in) {
    constexpr int kCondition[] = {1, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1};
    Array y = in[1];
    for (int64_t i = 0; i < y.count(); ++i) y[i] = kCondition[i] != 0 ? in[0][i] : in[1][i];
    return y;
  };
  cases.push_back(select);
}

}  // namespace

std::vector<OpCase> elementwise_cases() {
  std::vector<OpCase> cases;
  append_unary(cases);
  append_binary(cases);
  append_with_attributes(cases);
  return cases;
}

}  // namespace ftrun::test
