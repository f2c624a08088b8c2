// The hooks of a strategy, passed to its pieces.
#include "sharding/composition.h"

#include "ftrun/cpp/strategy_schedule.hpp"

namespace ftrun::sharding {

Composition::Composition(const OptionReader& reader, Pieces pieces)
    : reader_(reader), pieces_(std::move(pieces)), optimizer_(pieces_.optimizer) {}

void Composition::start(const sdk::ShardCalls& calls, const ftrun_role_layout& layout) {
  if (is_started_) return;
  reader_.expectations().check(reader_.values(), layout.world, reader_.before("expects"));
  const std::string origin = pieces_.shard_group_size == 0 ? std::string() : reader_.before("shard_group_size");
  grid_ = make_rank_grid(calls, layout.rank, layout.world, pieces_.shard_group_size, origin);
  pieces_.gradients->use(grid_);
  is_started_ = true;
}

void Composition::attach(const sdk::ShardCalls& calls, const ftrun_role_layout& layout) {
  start(calls, layout);
  const auto role = static_cast<size_t>(layout.role);
  if (walks_.size() <= role) walks_.resize(role + 1);
  walks_[role] = std::make_unique<WeightWalk>(calls, layout, grid_, pieces_.weights);
  for (int32_t unit = 0; unit < layout.n_units; ++unit) {
    if (sdk::unit_layout(layout, unit).trained_padded_elements > 0) attach_trained(calls, layout, unit);
  }
}

void Composition::attach_trained(const sdk::ShardCalls& calls, const ftrun_role_layout& layout, int32_t unit) {
  const int64_t elements = sdk::unit_layout(layout, unit).trained_padded_elements;
  pieces_.gradients->add({layout.role, unit, elements, gradient_dtypes(layout, pieces_.reduce_dtype)});
  optimizer_.add(calls, layout.role, unit, updated(elements));
}

WeightWalk& Composition::walk(int32_t role) {
  const auto index = static_cast<size_t>(role);
  if (index >= walks_.size() || !walks_[index]) {
    throw sdk::Error(FTRUN_FAILED_PRECONDITION, "role " + std::to_string(role) + " was not attached");
  }
  return *walks_[index];
}

Region Composition::updated(int64_t elements) const {
  return pieces_.weights.updates_slice ? grid_.slice(elements) : Region{0, elements};
}

void Composition::unit_enter(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
  walk(event.role).enter(calls, event);
  if (event.phase == FTRUN_PHASE_BACKWARD) pieces_.gradients->enter_backward(calls, event);
}

void Composition::unit_exit(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
  walk(event.role).exit(calls, event);
}

void Composition::grads_ready(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
  pieces_.gradients->ready(calls, event);
}

double Composition::finish_grads(const sdk::ShardCalls& calls) {
  pieces_.gradients->finish(calls);
  std::vector<sdk::Tensor> slices;
  std::vector<ftrun_tensor*> handles;
  for (size_t index = 0; index < pieces_.gradients->units().size(); ++index) {
    const Region region = grid_.counted_once(pieces_.gradients->units()[index].elements);
    slices.push_back(pieces_.gradients->reduced(calls, index, region));
    handles.push_back(slices.back().get());
  }
  return calls.grad_norm(handles);
}

void Composition::step(const sdk::ShardCalls& calls, double grad_scale, double learning_rate) {
  for (size_t index = 0; index < pieces_.gradients->units().size(); ++index) {
    const TrainedUnit& unit = pieces_.gradients->units()[index];
    UnitWeights& weights = weights_of(unit.role, unit.unit);
    const sdk::Tensor gradient = pieces_.gradients->reduced(calls, index, updated(unit.elements));
    optimizer_.update(calls, index, gradient, weights.updated(calls), grad_scale, learning_rate);
    weights.publish(calls);
  }
  pieces_.gradients->release(calls);
  for (const auto& walk : walks_) walk->end_update(calls);
}

sdk::Tensor Composition::held(const sdk::ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part,
                              Region region) {
  UnitWeights& weights = weights_of(role, unit);
  const Region owned = weights.owned(part);
  if (region.begin < owned.begin || region.end > owned.end || region.begin > region.end) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "elements [" + std::to_string(region.begin) + ", " +
                                                 std::to_string(region.end) + ") of unit " + std::to_string(unit) +
                                                 " are not this rank's, which holds [" + std::to_string(owned.begin) +
                                                 ", " + std::to_string(owned.end) + ")");
  }
  return weights.held(calls, part, region);
}

std::pair<int64_t, int64_t> Composition::owned_range(const sdk::ShardCalls&, int32_t role, int32_t unit,
                                                     ftrun_part part) {
  const Region owned = weights_of(role, unit).owned(part);
  return {owned.begin, owned.end};
}

void Composition::read_range(const sdk::ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, int64_t begin,
                             int64_t end, const sdk::Tensor& destination) {
  calls.copy(held(calls, role, unit, part, {begin, end}), destination);
}

void Composition::write_range(const sdk::ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, int64_t begin,
                              int64_t end, const sdk::Tensor& source) {
  calls.copy(source, held(calls, role, unit, part, {begin, end}));
  weights_of(role, unit).overwritten(calls);
}

}  // namespace ftrun::sharding
