// Recording and the reverse walk.
#include "core/autograd/tape.h"

#include <atomic>

#include "core/base/error.h"

namespace ftrun {
namespace {

uint64_t next_tape_id() {
  static std::atomic<uint64_t> counter = 0;
  return ++counter;
}

void accumulate_exclusive(ExecutionContext& ctx, Tensor& sum, const Tensor& gradient) {
  if (sum.is_exclusive() && sum.is_contiguous()) {
    execute(ctx, FTRUN_OP_ADD, {sum, gradient}, {sum});
    return;
  }
  // Somebody else holds this memory (an op passed its own output gradient on): the sum needs its own.
  const Tensor own = empty_like(ctx, sum, sum.dtype());
  execute(ctx, FTRUN_OP_ADD, {sum, gradient}, {own});
  sum = own;
}

Tensor in_dtype(ExecutionContext& ctx, Tensor gradient, const Shape& shape, ftrun_dtype dtype) {
  if (gradient.dtype() != dtype || !gradient.is_contiguous()) {
    const Tensor converted = empty_like(ctx, gradient, dtype);
    execute(ctx, FTRUN_OP_COPY, {gradient}, {converted});
    gradient = converted;
  }
  return gradient.shape() == shape ? gradient : gradient.reshape(shape);
}

}  // namespace

Tape::Tape() : id_(next_tape_id()) {}
Tape::~Tape() { clear(); }

void Tape::clear() noexcept {
  while (!nodes_.empty()) retire_last(nullptr);
}

void Tape::retire_last(ExecutionContext* ctx) {
  const Node node = std::move(nodes_.back());
  nodes_.pop_back();
  for (const GradientEdge& edge : node.inputs) {
    if (edge.target != nullptr) edge.target->release_use(ctx);
  }
}

GradientEdge Tape::edge_of(std::string_view name, const Tensor& input) const {
  GradientEdge edge;
  if (!input) return edge;
  edge.shape = input.shape();
  edge.dtype = input.dtype();
  const AutogradMeta& meta = input.autograd();
  edge.target = meta.target;
  if (meta.tape_id == 0) return edge;
  if (meta.tape_id != id_ || static_cast<size_t>(meta.node) >= nodes_.size()) {
    throw failed_precondition(
        "op '{}': an input {} has its history on another tape or on one that was already run backward; detach it first",
        name, input.text());
  }
  edge.node = meta.node;
  edge.output = meta.output;
  return edge;
}

void Tape::record(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
                  BackwardRule rule) {
  Node node;
  node.name = name;
  node.rule = std::move(rule);
  node.inputs.reserve(inputs.size());
  for (const Tensor& input : inputs) node.inputs.push_back(edge_of(name, input));
  const auto index = static_cast<int32_t>(nodes_.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    node.outputs.push_back({outputs[i].shape(), outputs[i].dtype(), {}, false});
  }
  nodes_.push_back(std::move(node));
  for (const GradientEdge& edge : nodes_.back().inputs) {
    if (edge.target != nullptr) edge.target->add_use();
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].autograd() = {id_, index, static_cast<int32_t>(i), nullptr, nullptr};
  }
}

void Tape::seed(ExecutionContext& ctx, const Tensor& root, Tensor gradient) {
  const AutogradMeta& meta = root.autograd();
  Node::Output& output = nodes_[static_cast<size_t>(meta.node)].outputs[static_cast<size_t>(meta.output)];
  const bool is_one = !gradient;
  if (is_one) {
    if (root.element_count() != 1) {
      throw invalid_argument("backward: the root {} has more than one element and no gradient was given", root.text());
    }
    gradient = empty_like(ctx, root, root.dtype());
    auto one = attributes<ftrun_fill_attributes>();
    one.value = 1.0;
    execute(ctx, FTRUN_OP_FILL, {}, {gradient}, &one);
  }
  if (gradient.element_count() != root.element_count()) {
    throw invalid_argument("backward: gradient {} does not fit the root {}", gradient.text(), root.text());
  }
  gradient = in_dtype(ctx, std::move(gradient), output.shape, output.dtype);
  if (output.gradient) {
    accumulate_exclusive(ctx, output.gradient, gradient);
    output.is_seed = false;
  } else {
    output.gradient = std::move(gradient);
    output.is_seed = is_one;
  }
}

void Tape::run(ExecutionContext& ctx) {
  const NoGradGuard no_grad(ctx);
  while (!nodes_.empty()) {
    Node& node = nodes_.back();
    bool reached = false;
    for (const Node::Output& output : node.outputs) reached = reached || output.gradient;
    if (reached) {
      const OpLabel label(ctx, node.name, true);
      BackwardCall call(ctx, *this, node);
      node.rule(call);
    }
    retire_last(&ctx);
  }
}

void Tape::backward(ExecutionContext& ctx, const Tensor& root, Tensor gradient) {
  const AutogradMeta& meta = root.autograd();
  if (meta.tape_id != id_ || static_cast<size_t>(meta.node) >= nodes_.size()) {
    throw failed_precondition("backward: {} has no history on this tape (nothing it was computed from is trained)",
                              root.text());
  }
  try {
    seed(ctx, root, std::move(gradient));
    run(ctx);
  } catch (...) {
    clear();
    throw;
  }
}

void Tape::backward(ExecutionContext& ctx, std::span<const Tensor> roots, std::span<const Tensor> gradients) {
  try {
    for (size_t i = 0; i < roots.size(); ++i) {
      if (!gradients[i] || !roots[i] || roots[i].autograd().tape_id != id_) continue;
      seed(ctx, roots[i], gradients[i]);
    }
    run(ctx);
  } catch (...) {
    clear();
    throw;
  }
}

GradientDestination BackwardCall::destination(size_t input) {
  const GradientEdge& edge = node_.inputs[input];
  if (edge.target != nullptr) return edge.target->destination(ctx_, edge.shape, edge.dtype);
  if (edge.node < 0) return {};
  Tensor& slot = tape_.nodes_[static_cast<size_t>(edge.node)].outputs[static_cast<size_t>(edge.output)].gradient;
  if (!slot) {
    slot = empty(ctx_, edge.dtype, edge.shape);
    return {slot, false};
  }
  if (!slot.is_exclusive()) {
    const Tensor own = empty_like(ctx_, slot, slot.dtype());
    execute(ctx_, FTRUN_OP_COPY, {slot}, {own});
    slot = own;
  }
  return {slot, true};
}

void BackwardCall::contribute(size_t input, Tensor gradient) {
  const GradientEdge& edge = node_.inputs[input];
  if (!edge.needed() || !gradient) return;
  if (gradient.element_count() != edge.shape.element_count()) {
    throw internal_error("op '{}': gradient {} for input {} of shape {}", node_.name, gradient.text(), input,
                         shape_text(edge.shape));
  }
  if (edge.target != nullptr) {
    edge.target->contribute(ctx_, edge.shape, edge.dtype, std::move(gradient));
    return;
  }
  Tensor& slot = tape_.nodes_[static_cast<size_t>(edge.node)].outputs[static_cast<size_t>(edge.output)].gradient;
  if (!slot) {
    slot = in_dtype(ctx_, std::move(gradient), edge.shape, edge.dtype);
    return;
  }
  accumulate_exclusive(ctx_, slot, gradient.shape() == edge.shape ? gradient : gradient.reshape(edge.shape));
}

bool should_record(const ExecutionContext& ctx, std::span<const Tensor> inputs) {
  if (!ctx.recording || ctx.tape == nullptr) return false;
  for (const Tensor& input : inputs) {
    if (input && input.requires_grad()) return true;
  }
  return false;
}

}  // namespace ftrun
