// The table of ops by name and the checks before an ABI call reaches an op.
#include "core/ops/op_table.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/autograd/tape.h"
#include "core/base/error.h"
#include "core/base/nearest_name.h"
#include "core/ops/families.h"

namespace ftrun::ops {
namespace {

constexpr size_t kMaxAttributeBytes = 128;

OpTable build_table() {
  OpTable table;
  for (const auto add : {register_layout, register_elementwise, register_elementwise_unary, register_reductions,
                         register_matmul, register_embedding, register_rms_norm, register_rope, register_attention,
                         register_swiglu, register_linear_cross_entropy}) {
    add(table);
  }
  return table;
}

const NamedOp& find_op(std::string_view name) {
  const auto found = op_table().find(name);
  if (found != op_table().end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [known_name, op] : op_table()) known.push_back(known_name);
  throw not_found("no op '{}'{}", name, did_you_mean(name, known));
}

/// The caller's struct, zero-extended to what this side knows.
using AttributeBytes = std::array<std::byte, kMaxAttributeBytes>;

AttributeBytes copied_attributes(std::string_view name, const NamedOp& op, const void* attributes) {
  alignas(8) AttributeBytes bytes = {};
  if (op.attribute_bytes == 0) return bytes;
  if (attributes == nullptr) throw invalid_argument("op '{}' needs its attribute struct", name);
  ftrun_head head;
  std::memcpy(&head, attributes, sizeof(head));
  if (head.tag != FTRUN_ATTRIBUTES_TAG || head.struct_size < sizeof(head) || head.struct_size > FTRUN_STRUCT_SIZE_MAX) {
    throw invalid_argument("op '{}': the attribute struct has tag {:#x} and size {}", name, head.tag, head.struct_size);
  }
  std::memcpy(bytes.data(), attributes, std::min<size_t>(head.struct_size, op.attribute_bytes));
  return bytes;
}

}  // namespace

const OpTable& op_table() {
  static const OpTable table = build_table();
  return table;
}

std::vector<Tensor> run_op(ExecutionContext& ctx, std::string_view name, std::span<const Tensor> inputs,
                           const void* attributes, int32_t n_outputs) {
  const NamedOp& op = find_op(name);
  const auto n_inputs = static_cast<int32_t>(inputs.size());
  if (n_inputs < op.min_inputs || n_inputs > op.max_inputs) {
    throw invalid_argument("op '{}' takes {} to {} inputs, not {}", name, op.min_inputs, op.max_inputs, n_inputs);
  }
  if (n_outputs < 1 || n_outputs > op.max_outputs) {
    throw invalid_argument("op '{}' has 1 to {} outputs, not {}", name, op.max_outputs, n_outputs);
  }
  for (int32_t i = 0; i < op.min_inputs; ++i) {
    if (!inputs[static_cast<size_t>(i)]) throw invalid_argument("op '{}': input {} is missing", name, i);
  }
  if (!op.differentiable && should_record(ctx, inputs)) {
    throw invalid_argument("op '{}' has no gradient, but an input requires one; detach it first", name);
  }
  alignas(8) const AttributeBytes bytes = copied_attributes(name, op, attributes);
  std::vector<Tensor> outputs = op.run(ctx, inputs, op.attribute_bytes == 0 ? nullptr : bytes.data());
  outputs.resize(static_cast<size_t>(n_outputs));
  return outputs;
}

}  // namespace ftrun::ops
