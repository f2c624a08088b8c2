// Forward and backward over units: brackets, recording, replay.
#include "core/model/unit_walk.h"

#include "core/autograd/saved_tensor.h"
#include "core/base/error.h"
#include "core/model/abi_struct.h"
#include "core/model/optimizer_slice.h"
#include "core/model/rank.h"
#include "core/tensor/device.h"

namespace ftrun {
namespace {

ftrun_unit_event event_of(int32_t role, int32_t unit, ftrun_phase phase, const MicroBatch& micro_batch) {
  auto event = make_abi_struct<ftrun_unit_event>(FTRUN_UNIT_EVENT_TAG);
  event.role = role;
  event.unit = unit;
  event.phase = phase;
  event.micro_batch = micro_batch.index;
  event.is_last = micro_batch.is_last ? 1 : 0;
  return event;
}

/// `activation` itself where it is on `device` already or missing, otherwise a copy there.
Tensor moved_to(ExecutionContext& ctx, Device& device, const Tensor& activation) {
  if (!activation || &activation.device() == &device) return activation;
  Tensor copy = empty_on(ctx, device, activation.dtype(), activation.shape(), FTRUN_MEMORY_ACTIVATIONS);
  copy_between(ctx, activation, copy);
  return copy;
}

/// What context calls see while a unit is computed, and the name in messages.
class ActiveUnitScope {
 public:
  ActiveUnitScope(ftrun_context& ctx, Role& role, const BatchState& batch, int32_t unit, WalkedTensors tensors)
      : ctx_(ctx), former_(ctx.rank->active()), former_label_(std::move(ctx.unit_label)) {
    ctx.rank->active() = {&role, &batch, unit, 0, tensors};
    ctx.unit_label = role.model().units()[static_cast<size_t>(unit)].name;
  }
  ActiveUnitScope(const ActiveUnitScope&) = delete;
  ActiveUnitScope& operator=(const ActiveUnitScope&) = delete;
  ~ActiveUnitScope() {
    ctx_.rank->active() = former_;
    ctx_.unit_label = std::move(former_label_);
  }

 private:
  ftrun_context& ctx_;
  ActiveUnit former_;
  std::string former_label_;
};

}  // namespace

Tensor walked_parameter(const Role& role, int32_t id, WalkedTensors tensors) {
  return role.parameter(tensors == WalkedTensors::kAtStart ? role.model().start_copy_of(id) : id);
}

void StrategyHooks::enter(ftrun_context& ctx, int32_t role, int32_t unit, ftrun_phase phase,
                          const MicroBatch& micro_batch) const {
  const ftrun_unit_event event = event_of(role, unit, phase, micro_batch);
  check_status(table_->unit_enter(instance_, &ctx, &event), "strategy: unit_enter");
}

void StrategyHooks::exit(ftrun_context& ctx, int32_t role, int32_t unit, ftrun_phase phase,
                         const MicroBatch& micro_batch) const {
  const ftrun_unit_event event = event_of(role, unit, phase, micro_batch);
  check_status(table_->unit_exit(instance_, &ctx, &event), "strategy: unit_exit");
}

void StrategyHooks::grads_ready(ftrun_context& ctx, int32_t role, int32_t unit, const MicroBatch& micro_batch) const {
  const ftrun_unit_event event = event_of(role, unit, FTRUN_PHASE_BACKWARD, micro_batch);
  check_status(table_->grads_ready(instance_, &ctx, &event), "strategy: grads_ready");
}

UnitBracket::UnitBracket(ftrun_context& ctx, const StrategyHooks& hooks, const Role& role, int32_t unit,
                         ftrun_phase phase, const MicroBatch& micro_batch)
    : ctx_(ctx), hooks_(hooks), role_(role), phase_(phase), micro_batch_(micro_batch) {
  std::vector<int32_t> units = {unit};
  const auto& borrowed = role.model().units()[static_cast<size_t>(unit)].borrowed_units;
  units.insert(units.end(), borrowed.begin(), borrowed.end());
  open_.reserve(units.size());
  try {
    for (const int32_t entered : units) {
      hooks_.enter(ctx_, role_.index(), entered, phase_, micro_batch_);
      open_.push_back(entered);
    }
  } catch (...) {
    // A constructor that throws runs no destructor: leave what was entered.
    while (!open_.empty()) {
      try {
        close();
      } catch (const std::exception&) {
        continue;
      }
    }
    throw;
  }
}

UnitBracket::~UnitBracket() {
  while (!open_.empty()) {
    try {
      close();
    } catch (const std::exception&) {
      // An exception is already on its way; each close takes one unit off, so this ends.
      continue;
    }
  }
}

void UnitBracket::close() {
  while (!open_.empty()) {
    const int32_t unit = open_.back();
    open_.pop_back();
    hooks_.exit(ctx_, role_.index(), unit, phase_, micro_batch_);
  }
}

Tensor UnitWalk::compute(ftrun_context& ctx, int32_t unit, const Tensor& input) {
  const ActiveUnitScope scope(ctx, role_, *batch_, unit, tensors_);
  Tensor out = Tensor::adopt(role_.model().unit_forward(&ctx, unit, input.get()));
  const Shape expected = {batch_->tokens, role_.model().info().hidden_size};
  if (!(out.shape() == expected)) {
    throw internal_error("{}: unit_forward returned {}, expected {}", ctx.unit_label, out.text(), shape_text(expected));
  }
  return out;
}

Tensor UnitWalk::compute_recorded(ftrun_context& ctx, int32_t unit, const Tensor& input, bool checkpointing) {
  Segment& segment = segments_[static_cast<size_t>(unit)];
  if (checkpointing) {
    const NoGradGuard off(ctx);
    Tensor output = compute(ctx, unit, input);
    segment.input = ctx.rank->arguments().offload_activations ? moved_to(ctx, *ctx.host_device, input) : input;
    return output;
  }
  segment.input_gradient = input && unit > role_.lowest_trained_unit() ? GradientTarget::capture() : nullptr;
  segment.tape = std::make_unique<Tape>();
  const RecordingScope on(ctx, *segment.tape);
  // What is kept until backward is kept for all units at once, so the cheap part of it is made again.
  const RecipeScope recipes(ctx);
  segment.output = compute(ctx, unit, segment.input_gradient ? make_leaf(input, segment.input_gradient) : input);
  return segment.output.detach();
}

Tensor UnitWalk::forward(ftrun_context& ctx, const StrategyHooks& hooks, const MicroBatch& micro_batch, bool recorded,
                         bool checkpointing) {
  const NetworkModel& model = role_.model();
  if (recorded) segments_.resize(static_cast<size_t>(model.walked_units()));
  const ftrun_phase phase = recorded ? FTRUN_PHASE_FORWARD : FTRUN_PHASE_INFER;
  Tensor hidden;
  for (int32_t unit = 0; unit < model.walked_units(); ++unit) {
    UnitBracket bracket(ctx, hooks, role_, unit, phase, micro_batch);
    if (batch_->tokens > 0) {
      if (recorded && unit >= role_.lowest_trained_unit()) {
        hidden = compute_recorded(ctx, unit, hidden, checkpointing);
      } else {
        const NoGradGuard off(ctx);
        hidden = compute(ctx, unit, hidden);
      }
    }
    bracket.close();
  }
  if (batch_->tokens == 0) {
    hidden = empty(ctx, ctx.rank->arguments().precision.compute, {0, model.info().hidden_size});
  }
  if (!recorded) return hidden;
  hidden_gradient_ = GradientTarget::capture();
  return make_leaf(hidden, hidden_gradient_);
}

void UnitWalk::backward_unit(ftrun_context& ctx, int32_t unit) {
  if (!started_) gradient_ = hidden_gradient_->take();
  started_ = true;
  Segment segment = std::move(segments_[static_cast<size_t>(unit)]);
  if (!gradient_) return;
  if (!segment.tape) {
    segment.input = moved_to(ctx, *ctx.device, segment.input);
    segment.input_gradient = segment.input && unit > role_.lowest_trained_unit() ? GradientTarget::capture() : nullptr;
    segment.tape = std::make_unique<Tape>();
    const RecordingScope on(ctx, *segment.tape);
    segment.output =
        compute(ctx, unit, segment.input_gradient ? make_leaf(segment.input, segment.input_gradient) : segment.input);
  }
  ctx.unit_label = role_.model().units()[static_cast<size_t>(unit)].name;
  Tensor gradient = std::move(gradient_);
  gradient_ = {};
  if (segment.output.requires_grad()) segment.tape->backward(ctx, segment.output, std::move(gradient));
  if (segment.input_gradient) gradient_ = segment.input_gradient->take();
  ctx.unit_label.clear();
}

}  // namespace ftrun
