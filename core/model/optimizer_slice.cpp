// Updating a slice run by run; copies between devices.
#include "core/model/optimizer_slice.h"

#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/ops/layout.h"

namespace ftrun {
namespace {

/// `from` itself, or a copy of it on `device`.
Tensor on_device(ExecutionContext& ctx, const Tensor& from, Device& device) {
  if (&from.device() == &device) return from;
  const Tensor copy = empty_on(ctx, device, from.dtype(), from.shape(), FTRUN_MEMORY_WORKSPACE);
  copy_between(ctx, from, copy);
  return copy;
}

void require_same_count(std::string_view call, const Tensor& from, const Tensor& to) {
  if (from.element_count() != to.element_count() || !from.is_contiguous() || !to.is_contiguous()) {
    throw invalid_argument("{}: {} to {}", call, from.text(), to.text());
  }
}

void update_runs(ExecutionContext& ctx, const Optimizer& optimizer, const ftrun_optimizer_slice& slice,
                 const Tensor& gradient, const Tensor& compute, double grad_scale, double learning_rate,
                 double weight_decay, int64_t step) {
  std::vector<Tensor> states;
  for (const ftrun_optimizer_slice::Run& run : slice.runs) {
    const auto part_of = [&](const Tensor& whole) { return whole.slice(0, run.begin, run.end); };
    states.clear();
    for (const Tensor& state : slice.states) states.push_back(part_of(state));
    OptimizerSpan span;
    span.gradient = part_of(gradient);
    span.master = part_of(slice.master ? slice.master : compute);
    if (slice.master) span.parameter = part_of(compute);
    span.states = states;
    span.learning_rate = learning_rate * run.learning_rate_ratio;
    span.weight_decay = run.decays ? weight_decay : 0.0;
    optimizer.update(ctx, span, grad_scale, step);
  }
}

}  // namespace

std::vector<ftrun_optimizer_slice::Run> optimizer_runs(const NetworkModel& model, const ParameterLayout& layout,
                                                       int32_t unit, int64_t begin, int64_t end) {
  std::vector<ftrun_optimizer_slice::Run> runs;
  for (const ParameterPiece& piece : layout.pieces(unit, FTRUN_PART_TRAINED, begin, end)) {
    const ModelParameter& parameter = model.parameter(piece.id);
    const int64_t piece_end = piece.offset + piece.end - piece.begin;
    const bool continues = !runs.empty() && runs.back().decays == parameter.decays() &&
                           runs.back().learning_rate_ratio == parameter.learning_rate_ratio;
    if (continues) {
      runs.back().end = piece_end;
    } else {
      runs.push_back({piece.offset, piece_end, parameter.decays(), parameter.learning_rate_ratio});
    }
  }
  // Padding is zero with zero gradients and stays so in any run.
  if (runs.empty()) runs.push_back({});
  runs.back().end = end - begin;
  return runs;
}

void update_slice(ExecutionContext& ctx, const Optimizer& optimizer, const ftrun_optimizer_slice& slice,
                  const Tensor& gradient, const Tensor& compute, double grad_scale, double learning_rate,
                  double weight_decay, int64_t step) {
  const Shape expected = {slice.end - slice.begin};
  if (!(gradient.shape() == expected) || !(compute.shape() == expected)) {
    throw invalid_argument("optimizer_update: gradient {} and weights {} of a slice of {} elements", gradient.text(),
                           compute.text(), slice.end - slice.begin);
  }
  // The update runs where the state is; gradient and weights come there and the weights go back.
  Device& home = slice.states.empty() ? compute.device() : slice.states.front().device();
  const Tensor gradient_here = on_device(ctx, gradient, home);
  // With master weights the compute weights are written only.
  const bool is_read = !slice.master;
  const bool is_here = &compute.device() == &home;
  const Tensor compute_here = is_here   ? compute
                              : is_read ? on_device(ctx, compute, home)
                                        : empty_on(ctx, home, compute.dtype(), compute.shape(), FTRUN_MEMORY_WORKSPACE);
  update_runs(ctx, optimizer, slice, gradient_here, compute_here, grad_scale, learning_rate, weight_decay, step);
  if (!is_here) copy_between(ctx, compute_here, compute);
}

void copy_between(ExecutionContext& ctx, const Tensor& from, const Tensor& to) {
  require_same_count("copy", from, to);
  if (&from.device() == &to.device()) {
    ops::copy_into(ctx, from.reshape(to.shape()), to);
    return;
  }
  Tensor same_dtype = from;
  if (from.dtype() != to.dtype()) {
    same_dtype = empty_on(ctx, from.device(), to.dtype(), from.shape(), FTRUN_MEMORY_WORKSPACE);
    ops::copy_into(ctx, from, same_dtype);
  }
  std::vector<std::byte> bytes(same_dtype.bytes());
  read(ctx, same_dtype, bytes.data(), bytes.size());
  write_from_host(ctx, to, bytes.data(), bytes.size());
}

void accumulate_between(ExecutionContext& ctx, const Tensor& from, const Tensor& to) {
  require_same_count("accumulate", from, to);
  ops::add_into(ctx, on_device(ctx, from, to.device()).reshape(to.shape()), to);
}

}  // namespace ftrun
