// Running a device op on tensors, and the optional check that names the first op with a non-finite output.
#include <array>
#include <chrono>
#include <cmath>

#include "core/base/error.h"
#include "core/tensor/tensor.h"

namespace ftrun {
namespace {

constexpr size_t kMaxOperands = 16;

const Tensor* first_float(std::span<const Tensor> tensors) {
  for (const Tensor& tensor : tensors) {
    if (tensor && is_compute_float(tensor.dtype())) return &tensor;
  }
  return nullptr;
}

const Tensor& first_present(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  for (const std::span<const Tensor> list : {inputs, outputs}) {
    for (const Tensor& tensor : list) {
      if (tensor) return tensor;
    }
  }
  throw internal_error("an op without operands");
}

ftrun_dtype lookup_dtype(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  if (const Tensor* tensor = first_float(inputs)) return tensor->dtype();
  if (const Tensor* tensor = first_float(outputs)) return tensor->dtype();
  return first_present(inputs, outputs).dtype();
}

void fill_views(std::string_view name, const Device& device, std::span<const Tensor> tensors,
                std::span<ftrun_view> views) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    views[i] = {};
    if (!tensors[i]) continue;
    views[i] = tensors[i].view();
    if (&tensors[i].device() != &device) {
      throw invalid_argument("op '{}': operands on the devices '{}' and '{}'", name, device.name(),
                             tensors[i].device().name());
    }
  }
}

void note_nonfinite(ExecutionContext& ctx, std::string_view name, std::span<const Tensor> outputs) {
  for (const Tensor& output : outputs) {
    if (!output || !is_compute_float(output.dtype()) || !output.is_contiguous() || output.element_count() == 0)
      continue;
    const Tensor sum = empty_on(ctx, output.device(), FTRUN_F32, {1}, FTRUN_MEMORY_WORKSPACE);
    execute(ctx, FTRUN_OP_SUM_ALL, {output}, {sum});
    float value = 0;
    read(ctx, sum, &value, sizeof(value));
    if (std::isfinite(value)) continue;
    ctx.first_nonfinite_op = ctx.op_label.empty() ? std::string(name) : ctx.op_label;
    if (!ctx.unit_label.empty()) ctx.first_nonfinite_op += " in " + ctx.unit_label;
    return;
  }
}

}  // namespace

void execute(ExecutionContext& ctx, std::string_view name, std::span<const Tensor> inputs,
             std::span<const Tensor> outputs, const void* attributes) {
  if (inputs.size() > kMaxOperands || outputs.size() > kMaxOperands) {
    throw internal_error("op '{}' with more than {} operands", name, kMaxOperands);
  }
  Device& device = first_present(inputs, outputs).device();
  std::array<ftrun_view, kMaxOperands> input_views;
  std::array<ftrun_view, kMaxOperands> output_views;
  fill_views(name, device, inputs, input_views);
  fill_views(name, device, outputs, output_views);
  const OpHandle op = device.require_op(name, lookup_dtype(inputs, outputs));
  const auto run = [&] {
    device.execute(op, name, ctx.stream_of(device), std::span(input_views).first(inputs.size()),
                   std::span(output_views).first(outputs.size()), attributes);
  };
  if (ctx.observer == nullptr) {
    run();
  } else {
    const auto begin = std::chrono::steady_clock::now();
    run();
    ctx.observer->op_ran(name, inputs, outputs,
                         std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  if (ctx.check_finite && ctx.first_nonfinite_op.empty() && name != FTRUN_OP_SUM_ALL)
    note_nonfinite(ctx, name, outputs);
}

}  // namespace ftrun
