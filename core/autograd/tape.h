// The tape: differentiable ops in the order they ran, and the reverse walk that makes gradients.
// Leaves out: each op's own gradient rule (core/ops) and which units are replayed when (core/model).
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/autograd/gradient_target.h"
#include "core/tensor/tensor.h"

namespace ftrun {

class BackwardCall;

/// A node's gradient rule. Runs at most once, with recording off; dies right after, and with it the tensors it saved.
using BackwardRule = std::function<void(BackwardCall&)>;

/// What remains of an input when its op was recorded: where its gradient goes, not the tensor itself.
struct GradientEdge {
  int32_t node = -1;  ///< producer on the same tape, or -1
  int32_t output = 0;
  std::shared_ptr<GradientTarget> target;  ///< of a leaf
  Shape shape;
  ftrun_dtype dtype = FTRUN_F32;
  bool needed() const noexcept { return node >= 0 || target != nullptr; }
};

/// Recorded ops of one forward. Tensors refer to it by id and index, so a tape may die before them. Not copyable.
/// [rank-thread]
class Tape {
 public:
  Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape();

  uint64_t id() const noexcept { return id_; }
  /// Nodes recorded and not yet consumed.
  size_t size() const noexcept { return nodes_.size(); }

  /// Appends a node: `outputs` (fresh, without history) become its outputs. FAILED_PRECONDITION when an input's history
  /// is on another tape, or on this one but already consumed.
  void record(std::string_view name, std::span<const Tensor> inputs, std::span<const Tensor> outputs,
              BackwardRule rule);

  /// Walks back from `root`. `gradient` has root's shape; empty: root has one element and gets 1. Every node runs at
  /// most once and is freed as soon as it did (nodes that got no gradient are freed without running), so the tape is
  /// empty afterwards and intermediate gradients live from their first contribution to their consumption.
  /// FAILED_PRECONDITION when root has no history on this tape. On an exception the tape is empty too.
  void backward(ExecutionContext& ctx, const Tensor& root, Tensor gradient = {});
  /// The same from several roots at once; roots without history on this tape, or with an empty gradient, are skipped.
  void backward(ExecutionContext& ctx, std::span<const Tensor> roots, std::span<const Tensor> gradients);

  /// Forgets everything recorded.
  void clear() noexcept;

 private:
  friend class BackwardCall;
  struct Node {
    std::string name;
    std::vector<GradientEdge> inputs;
    struct Output {
      Shape shape;
      ftrun_dtype dtype = FTRUN_F32;
      Tensor gradient;
      bool is_seed = false;  ///< the gradient is the 1 that backward began with
    };
    std::vector<Output> outputs;
    BackwardRule rule;
  };

  GradientEdge edge_of(std::string_view name, const Tensor& input) const;
  void seed(ExecutionContext& ctx, const Tensor& root, Tensor gradient);
  void run(ExecutionContext& ctx);
  void retire_last(ExecutionContext* ctx);

  uint64_t id_;
  std::vector<Node> nodes_;
};

/// What a gradient rule sees: the gradients of its outputs and where those of its inputs go.
class BackwardCall {
 public:
  BackwardCall(ExecutionContext& ctx, Tape& tape, Tape::Node& node) : ctx_(ctx), tape_(tape), node_(node) {}

  ExecutionContext& context() const noexcept { return ctx_; }
  size_t input_count() const noexcept { return node_.inputs.size(); }
  size_t output_count() const noexcept { return node_.outputs.size(); }
  /// Gradient of an output in the output's shape and dtype (contiguous); empty when nothing flowed into it.
  const Tensor& gradient(size_t output = 0) const { return node_.outputs[output].gradient; }
  /// True when gradient(0) is exactly the 1 that backward starts from, so that multiplying by it can be left out.
  bool is_seed() const { return node_.outputs.front().is_seed; }
  /// Does anybody want the gradient of `input`?
  bool needs(size_t input) const { return node_.inputs[input].needed(); }

  /// Memory of input's shape to write its gradient into (overwrite or accumulate as told); empty when not needed. The
  /// caller must write it: it counts as a contribution. dtype: the leaf's buffer's, else the input's.
  GradientDestination destination(size_t input);
  /// Hands over a finished gradient of input's element count (any float dtype); ignored when not needed. May share
  /// memory with other tensors: it is never overwritten while anybody else holds it.
  void contribute(size_t input, Tensor gradient);

 private:
  ExecutionContext& ctx_;
  Tape& tape_;
  Tape::Node& node_;
};

/// True when an op on these inputs must be recorded: gradients are on and one of them requires grad.
bool should_record(const ExecutionContext& ctx, std::span<const Tensor> inputs);
inline bool should_record(const ExecutionContext& ctx, std::initializer_list<Tensor> inputs) {
  return should_record(ctx, std::span(inputs.begin(), inputs.size()));
}

/// Puts an op that already ran on the tape when should_record says so. For ops with a fixed number of operands.
inline void record_op(ExecutionContext& ctx, std::string_view name, std::initializer_list<Tensor> inputs,
                      std::initializer_list<Tensor> outputs, BackwardRule rule) {
  if (!should_record(ctx, inputs)) return;
  ctx.tape->record(name, std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()),
                   std::move(rule));
}

/// Gradients off for a scope (frozen roles, evaluation, gradient rules themselves).
class NoGradGuard {
 public:
  explicit NoGradGuard(ExecutionContext& ctx) : ctx_(ctx), recording_(ctx.recording) { ctx.recording = false; }
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;
  ~NoGradGuard() { ctx_.recording = recording_; }

 private:
  ExecutionContext& ctx_;
  bool recording_;
};

/// Gradients on for a scope, recorded on `tape` (a fresh one to replay a unit; the run's to record a loss). Restores
/// the former tape and switch. To replay a unit:
///   auto target = GradientTarget::capture();
///   Tensor in = make_leaf(saved_input, target);
///   Tape segment;
///   Tensor out;
///   { RecordingScope scope(ctx, segment); out = unit_forward(in); }
///   segment.backward(ctx, out, output_gradient);
///   Tensor input_gradient = target->take();
class RecordingScope {
 public:
  RecordingScope(ExecutionContext& ctx, Tape& tape)
      : ctx_(ctx), tape_(ctx.tape), recording_(ctx.recording), label_(std::exchange(ctx.op_label, {})) {
    ctx.tape = &tape;
    ctx.recording = true;
  }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
  ~RecordingScope() {
    ctx_.tape = tape_;
    ctx_.recording = recording_;
    ctx_.op_label = std::move(label_);
  }

 private:
  ExecutionContext& ctx_;
  Tape* tape_;
  bool recording_;
  std::string label_;
};

}  // namespace ftrun
