// Ops by name, for the C ABI's tensor_api->op: each family file registers its own.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// One op as the ABI calls it.
struct NamedOp {
  int32_t min_inputs = 1;
  int32_t max_inputs = 1;
  int32_t max_outputs = 1;
  /// Bytes of the attribute struct; 0: takes none.
  uint32_t attribute_bytes = 0;
  bool differentiable = true;
  /// `attributes` points to a zero-extended copy of the caller's struct, or is NULL. Returns max_outputs tensors or
  /// fewer.
  std::function<std::vector<Tensor>(ExecutionContext&, std::span<const Tensor> inputs, const void* attributes)> run;
};

using OpTable = std::map<std::string, NamedOp, std::less<>>;

/// All ops callable by name. Built once, then constant. [any-thread]
const OpTable& op_table();

/// Checks operand counts and attributes, runs the op and records it where gradients are on. An unknown name is
/// NOT_FOUND with the nearest one; an op without gradient refuses inputs that require grad while gradients are on.
/// Returns n_outputs tensors.
std::vector<Tensor> run_op(ExecutionContext& ctx, std::string_view name, std::span<const Tensor> inputs,
                           const void* attributes, int32_t n_outputs = 1);

}  // namespace ftrun::ops
