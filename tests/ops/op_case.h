// One op as the table tests it: how to run it, and the same function in float64. Gradients are compared with central
// differences of the float64 function, so each case is written down once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/tensor/reference_engine.h"

namespace ftrun::test {

/// A float64 array.
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> values;
  double& operator[](int64_t i) { return values[static_cast<size_t>(i)]; }
  double operator[](int64_t i) const { return values[static_cast<size_t>(i)]; }
  int64_t count() const { return static_cast<int64_t>(values.size()); }
  int64_t last() const { return shape.empty() ? 1 : shape.back(); }
};

Array zeros(std::vector<int64_t> shape);

/// A float input: uniform in [low, high), on the f32 or bf16 grid.
struct InputSpec {
  std::vector<int64_t> shape;
  double low = -1.0;
  double high = 1.0;
  bool differentiate = true;
};

struct OpCase {
  std::string name;
  std::vector<InputSpec> inputs;
  /// Runs the op on leaves made of the inputs; returns its one output.
  std::function<Tensor(ReferenceEngine&, const std::vector<Tensor>&)> run;
  /// The same in float64.
  std::function<Array(const std::vector<Array>&)> reference;
  /// Length of the longest sum that one element of output or gradient is made of.
  int64_t sum_length = 1;
  /// Roundings to the tensor's type in a row between input and result, beyond the first (compositions in bf16 have
  /// more).
  int64_t roundings = 1;
};

/// The device and host calls a case runs on.
struct TestDevice {
  const ftrun_device* table = sdk::reference_device_table();
  ftrun_host host = make_test_host();
  bool has_fused_ops = false;  ///< then no op of the table may be composed
};

/// Output, then the gradient of each differentiated input, as the device computed them.
using OpBits = std::vector<std::vector<double>>;

/// Forward and gradients of `op` with inputs of `dtype`. Adds gtest failures naming op and element; returns what was
/// computed.
OpBits check_op_case(const OpCase& op, ftrun_dtype dtype, const TestDevice& device = {});

std::vector<OpCase> all_op_cases();
/// gtest name of a case.
std::string op_case_name(const OpCase& op, size_t index);
std::vector<OpCase> elementwise_cases();
std::vector<OpCase> layout_and_reduction_cases();
std::vector<OpCase> matrix_cases();
std::vector<OpCase> decoder_cases();
std::vector<OpCase> attention_cases();
std::vector<OpCase> head_cases();

}  // namespace ftrun::test
