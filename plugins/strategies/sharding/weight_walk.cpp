// Counting brackets.
#include "sharding/weight_walk.h"

#include "ftrun/cpp/strategy_schedule.hpp"
#include "sharding/replicated_weights.h"
#include "sharding/sliced_weights.h"

namespace ftrun::sharding {

WeightWalk::WeightWalk(const sdk::ShardCalls& calls, const ftrun_role_layout& layout, const RankGrid& grid,
                       const WeightPolicy& policy)
    : policy_(policy), lowest_trained_(sdk::lowest_trained_unit(layout)), states_(static_cast<size_t>(layout.n_units)) {
  for (int32_t index = 0; index < layout.n_units; ++index) {
    const ftrun_unit_layout& unit = sdk::unit_layout(layout, index);
    const UnitPlace place = {
        layout.role, index, layout.compute_dtype, {unit.trained_padded_elements, unit.frozen_padded_elements}};
    UnitState& state = states_[static_cast<size_t>(index)];
    state.borrowed.assign(unit.borrowed_units, unit.borrowed_units + unit.n_borrowed_units);
    if (policy.sliced && unit.largest_tensor_elements >= policy.persistence_threshold) {
      state.weights = std::make_unique<SlicedWeights>(calls, place, grid, policy.placement);
    } else {
      state.weights = std::make_unique<ReplicatedWeights>(calls, place, grid, policy.updates_slice);
    }
  }
  count_backward_brackets(layout);
}

void WeightWalk::count_backward_brackets(const ftrun_role_layout& layout) {
  if (lowest_trained_ < 0) return;
  for (int32_t index = 0; index < layout.n_units; ++index) {
    const bool is_head = index + 1 == layout.n_units;
    if (!is_head && index < lowest_trained_) continue;
    const UnitState& user = states_[static_cast<size_t>(index)];
    ++states_[static_cast<size_t>(index)].backward_brackets;
    for (const int32_t owner : user.borrowed) ++states_[static_cast<size_t>(owner)].backward_brackets;
  }
}

void WeightWalk::enter(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
  UnitState& state = states_.at(static_cast<size_t>(event.unit));
  if (event.phase == FTRUN_PHASE_FORWARD && !policy_.reshard_after_forward) {
    state.backward_left = state.backward_brackets;
  }
  state.weights->complete(calls);
  state.fetched_ahead = state.is_skipped = false;
  ++state.open;
  // A unit entered within another's bracket is borrowed from: what comes next follows from the outer one.
  if (++open_brackets_ == 1 && policy_.prefetch) fetch_next(calls, event);
}

void WeightWalk::exit(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
  UnitState& state = states_.at(static_cast<size_t>(event.unit));
  --open_brackets_;
  --state.open;
  if (event.phase == FTRUN_PHASE_BACKWARD && state.backward_left > 0) --state.backward_left;
  if (state.open == 0 && state.backward_left == 0) state.weights->release(calls);
}

void WeightWalk::fetch_next(const sdk::ShardCalls& calls, const ftrun_unit_event& event) {
  const bool backward = event.phase == FTRUN_PHASE_BACKWARD;
  const int32_t next = backward ? event.unit - 1 : event.unit + 1;
  if (next >= static_cast<int32_t>(states_.size()) || next < (backward ? lowest_trained_ : 0)) return;
  UnitState& state = states_[static_cast<size_t>(next)];
  if (state.is_skipped) return;
  state.fetched_ahead = true;
  state.weights->fetch(calls);
  for (const int32_t owner : state.borrowed) states_[static_cast<size_t>(owner)].weights->fetch(calls);
}

void WeightWalk::end_update(const sdk::ShardCalls& calls) {
  for (UnitState& state : states_) {
    state.backward_left = 0;
    state.is_skipped = state.is_skipped || state.fetched_ahead;
    state.fetched_ahead = false;
    if (state.open == 0) state.weights->release(calls);
  }
}

}  // namespace ftrun::sharding
