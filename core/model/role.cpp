// Binding of buffers to parameters, and loading by the layout.
#include "core/model/role.h"

#include "core/base/error.h"
#include "core/ops/layout.h"

namespace ftrun {

Role::Role(std::string name, int32_t index, std::shared_ptr<const NetworkModel> model, int32_t world,
           const std::function<bool(int32_t id)>& is_trained, std::unique_ptr<WeightSource> weights)
    : name_(std::move(name)),
      index_(index),
      model_(std::move(model)),
      layout_(*model_, world, is_trained),
      weights_(std::move(weights)),
      bound_(model_->units().size()),
      values_(model_->parameters().size()),
      targets_(model_->parameters().size()),
      recipes_(model_->parameters().size()) {
  for (size_t id = 0; id < targets_.size(); ++id) {
    if (layout_.is_trained(static_cast<int32_t>(id))) targets_[id] = GradientTarget::into({});
  }
  for (size_t id = 0; id < recipes_.size(); ++id) {
    recipes_[id] = std::make_shared<const Recipe>(
        [this, index = static_cast<int32_t>(id)](ExecutionContext&) { return parameter(index); });
  }
  for (int32_t unit = layout_.unit_count() - 1; unit >= 0; --unit) {
    if (layout_.has_trained(unit)) lowest_trained_unit_ = unit;
  }
}

void Role::check_unit(int32_t unit) const {
  if (unit < 0 || unit >= layout_.unit_count()) {
    throw invalid_argument("role '{}' has {} units, there is no unit {}", name_, layout_.unit_count(), unit);
  }
}

void Role::bind_compute(int32_t unit, ftrun_part part, const Tensor& flat, ftrun_dtype compute_dtype) {
  check_unit(unit);
  if (part != FTRUN_PART_TRAINED && part != FTRUN_PART_FROZEN) throw invalid_argument("bind_compute: part {}", part);
  const PartLayout& layout = layout_.part(unit, part);
  if (flat &&
      (flat.dtype() != compute_dtype || flat.element_count() != layout.padded_elements || !flat.is_contiguous())) {
    throw invalid_argument("bind_compute: unit '{}' needs a flat {}[{}], got {}",
                           model_->units()[static_cast<size_t>(unit)].name, dtype_name(compute_dtype),
                           layout.padded_elements, flat.text());
  }
  bound_[static_cast<size_t>(unit)][static_cast<size_t>(part)] = flat ? flat.detach() : Tensor();
  for (const ParameterRange& range : layout.parameters) {
    Tensor& value = values_[static_cast<size_t>(range.id)];
    value = {};
    if (!flat) continue;
    const Tensor view = flat.slice(0, range.begin, range.end).reshape(Shape(model_->parameter(range.id).shape));
    const auto& target = targets_[static_cast<size_t>(range.id)];
    value = target ? make_leaf(view, target) : view.detach();
    value.autograd().recipe = recipes_[static_cast<size_t>(range.id)];
  }
}

void Role::bind_gradient(ExecutionContext& ctx, int32_t unit, const Tensor& flat) {
  check_unit(unit);
  const PartLayout& layout = layout_.part(unit, FTRUN_PART_TRAINED);
  if (flat &&
      (!is_compute_float(flat.dtype()) || flat.element_count() != layout.padded_elements || !flat.is_contiguous())) {
    throw invalid_argument("bind_gradient: unit '{}' needs a flat f32 or bf16 [{}], got {}",
                           model_->units()[static_cast<size_t>(unit)].name, layout.padded_elements, flat.text());
  }
  for (const ParameterRange& range : layout.parameters) {
    GradientTarget& target = *targets_[static_cast<size_t>(range.id)];
    target.bind(flat ? flat.slice(0, range.begin, range.end) : Tensor(), target.has_value());
  }
  if (flat && layout.padded_elements > layout.elements) {
    ops::fill(ctx, flat.slice(0, layout.elements, layout.padded_elements), 0.0);
  }
}

void Role::zero_gradient(int32_t unit) {
  check_unit(unit);
  for (const ParameterRange& range : layout_.part(unit, FTRUN_PART_TRAINED).parameters) {
    targets_[static_cast<size_t>(range.id)]->zero();
  }
}

const Tensor& Role::bound(int32_t unit, ftrun_part part) const {
  check_unit(unit);
  return bound_[static_cast<size_t>(unit)][static_cast<size_t>(part)];
}

Tensor Role::parameter(int32_t id) const {
  const ModelParameter& declared = model_->parameter(id);
  const Tensor& value = values_[static_cast<size_t>(id)];
  if (!value) {
    throw failed_precondition("parameter '{}': the strategy has not bound unit '{}' of role '{}'", declared.name,
                              model_->units()[static_cast<size_t>(declared.unit)].name, name_);
  }
  return value;
}

Tensor Role::gradient(int32_t id) const {
  const auto& target = targets_.at(static_cast<size_t>(id));
  return target ? target->buffer() : Tensor();
}

void Role::hold_gradients(bool all) {
  for (size_t id = 0; id < targets_.size(); ++id) {
    if (targets_[id]) targets_[id]->hold(all || !model_->parameters()[id].ties.empty());
  }
}

void Role::settle_gradients(ExecutionContext& ctx, int32_t unit) {
  for (const ParameterRange& range : layout_.part(unit, FTRUN_PART_TRAINED).parameters) {
    GradientTarget& target = *targets_[static_cast<size_t>(range.id)];
    target.flush(ctx);
    target.hold(false);
    target.fill_if_empty(ctx);
  }
}

void Role::load(ExecutionContext& ctx, int32_t unit, ftrun_part part, int64_t begin, int64_t end,
                const Tensor& destination) {
  check_unit(unit);
  if (!weights_) throw failed_precondition("role '{}': the weights were already released", name_);
  fill_from(ctx, *weights_, *model_, layout_, unit, part, begin, end, destination);
}

void fill_from(ExecutionContext& ctx, WeightSource& source, const NetworkModel& model, const ParameterLayout& layout,
               int32_t unit, ftrun_part part, int64_t begin, int64_t end, const Tensor& destination) {
  if (destination.element_count() != end - begin || destination.ndim() != 1 || !destination.is_contiguous() ||
      !is_compute_float(destination.dtype())) {
    throw invalid_argument("load_slice: elements [{}, {}) need a flat f32 or bf16 tensor, got {}", begin, end,
                           destination.text());
  }
  int64_t filled = 0;
  for (const ParameterPiece& piece : layout.pieces(unit, part, begin, end)) {
    const int64_t count = piece.end - piece.begin;
    source.fill(ctx, model.parameter(piece.id), piece.begin, piece.end,
                destination.slice(0, piece.offset, piece.offset + count));
    filled = piece.offset + count;
  }
  // Parameters are contiguous from the start, so what is left is the tail.
  if (filled < end - begin) ops::fill(ctx, destination.slice(0, filled, end - begin), 0.0);
}

}  // namespace ftrun
