// Strategy `single`: one rank holds everything. Weights stay bound; a unit's gradient buffer lives from the unit's
// first backward of an update to the update's step, so that it takes the place of activations that are already gone.
// Leaves out: more than one rank (refused, naming the strategies that take several).
#include <string>
#include <utility>
#include <vector>

#include "ftrun/cpp/strategy.hpp"

namespace {

using ftrun::sdk::ShardCalls;
using ftrun::sdk::Tensor;

class Single {
 public:
  Single(const ftrun_host* /*host*/, const ftrun_options* /*options*/) {}

  void attach(const ShardCalls& calls, const ftrun_role_layout& role) {
    if (role.world != 1) {
      throw ftrun::sdk::Error(FTRUN_INVALID_ARGUMENT,
                              "strategy 'single' runs on 1 rank, this run has " + std::to_string(role.world) +
                                  ": choose a strategy for several ranks, or start one (--nproc 1, mpirun -n 1)");
    }
    for (int32_t unit = 0; unit < role.n_units; ++unit) {
      const ftrun_unit_layout& layout = ftrun::sdk::unit_layout(role, unit);
      attach_weights(calls, role, unit, FTRUN_PART_TRAINED, layout.trained_padded_elements);
      attach_weights(calls, role, unit, FTRUN_PART_FROZEN, layout.frozen_padded_elements);
      if (layout.trained_padded_elements > 0) attach_training(calls, role, unit, layout.trained_padded_elements);
    }
  }

  void unit_enter(const ShardCalls& calls, const ftrun_unit_event& event) {
    if (event.phase != FTRUN_PHASE_BACKWARD) return;
    for (TrainedUnit& unit : trained_) {
      if (unit.role != event.role || unit.unit != event.unit || unit.gradient) continue;
      unit.gradient = calls.empty(unit.gradient_dtype, {unit.elements}, FTRUN_MEMORY_GRADIENTS);
      calls.bind_gradient(unit.role, unit.unit, unit.gradient);
    }
  }
  void unit_exit(const ShardCalls&, const ftrun_unit_event&) {}
  void grads_ready(const ShardCalls& calls, const ftrun_unit_event& event) {
    if (event.is_last == 0) return;
    for (const TrainedUnit& unit : trained_) {
      if (unit.role == event.role && unit.unit == event.unit) calls.gradient_final(unit.gradient);
    }
  }

  double finish_grads(const ShardCalls& calls) {
    std::vector<ftrun_tensor*> gradients;
    for (const TrainedUnit& unit : trained_) gradients.push_back(unit.gradient.get());
    return calls.grad_norm(gradients);
  }

  void step(const ShardCalls& calls, double grad_scale, double learning_rate) {
    std::vector<ftrun_span> spans;
    for (const TrainedUnit& unit : trained_) {
      auto span = ftrun::sdk::make<ftrun_span>(FTRUN_SPAN_TAG);
      span.slice = unit.slice;
      span.gradient = unit.gradient.get();
      span.compute = unit.compute.get();
      spans.push_back(span);
    }
    calls.optimizer_update(spans, grad_scale, learning_rate);
    for (TrainedUnit& unit : trained_) {
      calls.zero_gradient(unit.role, unit.unit);
      calls.bind_gradient(unit.role, unit.unit, Tensor());
      unit.gradient = Tensor();
    }
  }

  std::pair<int64_t, int64_t> owned_range(const ShardCalls&, int32_t role, int32_t unit, ftrun_part part) const {
    const Weights* weights = find(role, unit, part);
    return {0, weights == nullptr ? 0 : weights->elements};
  }

  void read_range(const ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, int64_t begin, int64_t end,
                  const Tensor& destination) const {
    calls.copy(held(calls, role, unit, part, begin, end), destination);
  }

  void write_range(const ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, int64_t begin, int64_t end,
                   const Tensor& source) const {
    calls.copy(source, held(calls, role, unit, part, begin, end));
  }

 private:
  struct Weights {
    int32_t role;
    int32_t unit;
    ftrun_part part;
    int64_t elements;
    Tensor flat;
  };
  struct TrainedUnit {
    int32_t role;
    int32_t unit;
    int64_t elements;
    ftrun_dtype gradient_dtype;
    Tensor compute;
    Tensor gradient;  ///< empty between a step and the next backward
    ftrun_optimizer_slice* slice;
  };

  void attach_weights(const ShardCalls& calls, const ftrun_role_layout& role, int32_t unit, ftrun_part part,
                      int64_t elements) {
    if (elements == 0) return;
    Tensor flat = calls.empty(role.compute_dtype, {elements}, FTRUN_MEMORY_WEIGHTS);
    calls.load_slice(role.role, unit, part, 0, elements, flat);
    calls.bind_compute(role.role, unit, part, flat);
    weights_.push_back({role.role, unit, part, elements, std::move(flat)});
  }

  void attach_training(const ShardCalls& calls, const ftrun_role_layout& role, int32_t unit, int64_t elements) {
    const ftrun_dtype dtype = role.accumulation > 1 ? role.accumulator_dtype : role.gradient_dtype;
    ftrun_optimizer_slice* slice = calls.optimizer_create(role.role, unit, 0, elements);
    trained_.push_back({role.role, unit, elements, dtype, find(role.role, unit, FTRUN_PART_TRAINED)->flat, {}, slice});
  }

  Tensor held(const ShardCalls& calls, int32_t role, int32_t unit, ftrun_part part, int64_t begin, int64_t end) const {
    const Weights* weights = find(role, unit, part);
    if (weights == nullptr || begin < 0 || end > weights->elements || begin > end) {
      throw ftrun::sdk::Error(FTRUN_INVALID_ARGUMENT,
                              "elements [" + std::to_string(begin) + ", " + std::to_string(end) + ") are not held");
    }
    return calls.slice(weights->flat, 0, begin, end);
  }

  const Weights* find(int32_t role, int32_t unit, ftrun_part part) const {
    for (const Weights& weights : weights_) {
      if (weights.role == role && weights.unit == unit && weights.part == part) return &weights;
    }
    return nullptr;
  }

  std::vector<Weights> weights_;
  std::vector<TrainedUnit> trained_;
};

constexpr ftrun_strategy kTable = ftrun::sdk::StrategyThunks<Single>::table();

}  // namespace

FTRUN_PLUGIN(FTRUN_KIND_STRATEGY, "single", "1.0.0", "one rank, everything in its memory", nullptr, &kTable);
