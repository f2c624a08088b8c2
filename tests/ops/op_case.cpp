// Tolerance: an error of unit roundoff u per rounding and u sqrt(n) for a sum of n terms, relative to the largest
// element.
#include "tests/ops/op_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>

namespace ftrun::test {
namespace {

uint64_t seed_of(const std::string& name) {
  uint64_t hash = 1469598103934665603u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

double tolerance(const OpCase& op, ftrun_dtype dtype, const Array& wanted) {
  double largest = 0.0;
  for (const double value : wanted.values) largest = std::max(largest, std::fabs(value));
  const double unit_f32 = 0x1p-24;
  const double unit = dtype == FTRUN_BF16 ? 0x1p-8 : unit_f32;
  const double length = static_cast<double>(op.sum_length);
  // Sums run in f32; their terms carry the type's rounding, whose errors add up like a random walk of the terms.
  const double relative = unit * (2.0 + 2.0 * static_cast<double>(op.roundings)) + unit_f32 * 8.0 * std::sqrt(length);
  return relative * std::max(largest, 1e-3) + unit_f32;
}

void expect_close(const OpCase& op, const std::string& what, ftrun_dtype dtype, const std::vector<double>& got,
                  const Array& wanted) {
  ASSERT_EQ(got.size(), wanted.values.size()) << op.name << ": " << what;
  const double bound = tolerance(op, dtype, wanted);
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], wanted.values[i], bound) << op.name << ": " << what << ", element " << i;
  }
}

double weighted_sum(const Array& y, const std::vector<double>& weights) {
  double sum = 0.0;
  for (size_t i = 0; i < weights.size(); ++i) sum += y.values[i] * weights[i];
  return sum;
}

Array central_differences(const OpCase& op, std::vector<Array> inputs, size_t input, const std::vector<double>& dy) {
  Array gradient = zeros(inputs[input].shape);
  const double step = 1e-5;
  for (int64_t i = 0; i < gradient.count(); ++i) {
    const double value = inputs[input][i];
    inputs[input][i] = value + step;
    const double above = weighted_sum(op.reference(inputs), dy);
    inputs[input][i] = value - step;
    const double below = weighted_sum(op.reference(inputs), dy);
    inputs[input][i] = value;
    gradient[i] = (above - below) / (2.0 * step);
  }
  return gradient;
}

}  // namespace

Array zeros(std::vector<int64_t> shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return {std::move(shape), std::vector<double>(static_cast<size_t>(count), 0.0)};
}

namespace {

/// Inputs of a case: as numbers, on the device, and where their gradients go.
struct CaseInputs {
  std::vector<Array> arrays;
  std::vector<Tensor> tensors;
  std::vector<std::shared_ptr<GradientTarget>> targets;
};

CaseInputs make_inputs(const OpCase& op, ftrun_dtype dtype, ReferenceEngine& engine, std::mt19937_64& generator) {
  CaseInputs inputs;
  for (const InputSpec& spec : op.inputs) {
    Array array = zeros(spec.shape);
    array.values = random_values(generator, array.count(), spec.low, spec.high, dtype);
    const Tensor plain = engine.tensor(Shape(spec.shape), array.values, dtype);
    inputs.targets.push_back(spec.differentiate ? GradientTarget::capture() : nullptr);
    inputs.tensors.push_back(spec.differentiate ? make_leaf(plain, inputs.targets.back()) : plain);
    inputs.arrays.push_back(std::move(array));
  }
  return inputs;
}

void run_and_check(const OpCase& op, ftrun_dtype dtype, ReferenceEngine& engine, OpBits& bits) {
  std::mt19937_64 generator(seed_of(op.name));
  const CaseInputs inputs = make_inputs(op, dtype, engine, generator);
  Tensor y;
  {
    const RecordingScope scope(engine.ctx(), engine.tape());
    y = op.run(engine, inputs.tensors);
  }
  const Array wanted = op.reference(inputs.arrays);
  ASSERT_EQ(y.shape(), Shape(wanted.shape)) << op.name;
  bits.push_back(engine.values(y));
  expect_close(op, "forward", dtype, bits.back(), wanted);
  const std::vector<double> dy = random_values(generator, wanted.count(), -1.0, 1.0, y.dtype());
  engine.tape().backward(engine.ctx(), y, engine.tensor(y.shape(), dy, y.dtype()));
  for (size_t i = 0; i < inputs.targets.size(); ++i) {
    if (inputs.targets[i] == nullptr) continue;
    const Tensor gradient = inputs.targets[i]->take();
    ASSERT_TRUE(gradient) << op.name << ": no gradient of input " << i;
    bits.push_back(engine.values(gradient));
    expect_close(op, "gradient of input " + std::to_string(i), dtype, bits.back(),
                 central_differences(op, inputs.arrays, i, dy));
  }
}

}  // namespace

OpBits check_op_case(const OpCase& op, ftrun_dtype dtype, const TestDevice& device) {
  ReferenceEngine engine(device.table, device.host);
  OpBits bits;
  run_and_check(op, dtype, engine, bits);
  EXPECT_EQ(engine.tape().size(), 0u);
  if (device.has_fused_ops) {
    EXPECT_TRUE(engine.device().composed_ops().empty()) << op.name << " was composed";
  }
  EXPECT_EQ(engine.live_tensor_bytes(), 0u) << op.name << ": memory is still allocated after backward";
  return bits;
}

std::vector<OpCase> all_op_cases() {
  std::vector<OpCase> cases;
  for (const auto& family : {elementwise_cases(), layout_and_reduction_cases(), matrix_cases(), decoder_cases(),
                             attention_cases(), head_cases()}) {
    cases.insert(cases.end(), family.begin(), family.end());
  }
  return cases;
}

std::string op_case_name(const OpCase& op, size_t index) {
  std::string name = op.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return std::to_string(index) + "_" + name;
}

}  // namespace ftrun::test
