// Floating-point operations are counted for the ops that are matrix products; attention depends on its mask and is not.
#include "core/bench/op_profile.h"

#include <algorithm>
#include <cmath>

#include "core/tensor/tensor.h"
#include "ftrun/ops.h"

namespace ftrun {
namespace {

double elements(const Tensor& x) { return x ? static_cast<double>(x.element_count()) : 0.0; }

double matrix_flops(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  if (name == FTRUN_OP_MATMUL) {
    // M K, K N and M N elements give (M N K)^2.
    return 2 * std::sqrt(elements(inputs[0]) * elements(inputs[1]) * elements(outputs[0]));
  }
  if (name == FTRUN_OP_LINEAR_CROSS_ENTROPY) {
    return 2 * elements(inputs[0]) * static_cast<double>(inputs[1].dim(0));
  }
  if (name == FTRUN_OP_LINEAR_CROSS_ENTROPY_WITH_GRADIENTS) {
    const double product = 2 * elements(inputs[0]) * static_cast<double>(inputs[1].dim(0));
    return product * (1 + (outputs[2] ? 1 : 0) + (outputs[3] ? 1 : 0));
  }
  if (name == FTRUN_OP_LINEAR_CROSS_ENTROPY_BACKWARD) {
    const double product = 2 * elements(inputs[1]) * static_cast<double>(inputs[2].dim(0));
    return product * (1 + (outputs[0] ? 1 : 0) + (outputs[1] ? 1 : 0));
  }
  return 0;
}

}  // namespace

void OpProfile::op_ran(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                       double seconds) {
  auto found = shares_.find(name);
  if (found == shares_.end()) found = shares_.emplace(name, OpShare{std::string(name)}).first;
  OpShare& share = found->second;
  ++share.calls;
  share.seconds += seconds;
  share.flops += matrix_flops(name, inputs, outputs);
}

std::vector<OpShare> OpProfile::shares() const {
  std::vector<OpShare> result;
  for (const auto& [name, share] : shares_) result.push_back(share);
  std::stable_sort(result.begin(), result.end(),
                   [](const OpShare& a, const OpShare& b) { return a.seconds > b.seconds; });
  return result;
}

}  // namespace ftrun
