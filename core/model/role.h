// One model in the run (policy, reference, ...): its network, layout, bound buffers and gradient targets.
// Leaves out: walking its units (unit_walk.h), the optimizer (optimizer_slice.h).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/autograd/gradient_target.h"
#include "core/model/network_model.h"
#include "core/model/parameter_layout.h"
#include "core/model/weight_source.h"

namespace ftrun {

/// [rank-thread]
class Role {
 public:
  /// `is_trained` is asked per parameter id; a role without any trained parameter is frozen.
  Role(std::string name, int32_t index, std::shared_ptr<const NetworkModel> model, int32_t world,
       const std::function<bool(int32_t id)>& is_trained, std::unique_ptr<WeightSource> weights);
  Role(const Role&) = delete;
  Role& operator=(const Role&) = delete;

  const std::string& name() const noexcept { return name_; }
  int32_t index() const noexcept { return index_; }
  const NetworkModel& model() const noexcept { return *model_; }
  const ParameterLayout& layout() const noexcept { return layout_; }
  /// INFER walks that every micro-batch of an update takes, for what strategies announce.
  int32_t infer_walks() const noexcept { return infer_walks_; }
  void add_infer_walks(int32_t walks) noexcept { infer_walks_ += walks; }
  bool trained() const noexcept { return lowest_trained_unit_ >= 0; }
  /// Below it there is no backward; -1 for a frozen role.
  int32_t lowest_trained_unit() const noexcept { return lowest_trained_unit_; }

  /// See ftrun_shard_api. An empty tensor unbinds. Padding of a bound gradient buffer is set to zero.
  void bind_compute(int32_t unit, ftrun_part part, const Tensor& flat, ftrun_dtype compute_dtype);
  void bind_gradient(ExecutionContext& ctx, int32_t unit, const Tensor& flat);
  void zero_gradient(int32_t unit);
  /// The flat buffer bound to a unit's part, or an empty Tensor.
  const Tensor& bound(int32_t unit, ftrun_part part) const;

  /// The parameter as a view of its bound buffer; a leaf with its gradient target where trained. Throws
  /// FAILED_PRECONDITION naming the unit when nothing is bound.
  Tensor parameter(int32_t id) const;
  /// Its gradient as a flat view of the bound buffer; empty where frozen or unbound. Complete after grads_ready.
  Tensor gradient(int32_t id) const;

  /// Sums of all contributions wait in f32 until settle_gradients: for tensors used by several tapes of a micro-batch.
  /// Tied tensors always; all of them with `all`.
  void hold_gradients(bool all);
  /// Stores held sums and zeroes what got no contribution: the unit's gradient buffer is complete.
  void settle_gradients(ExecutionContext& ctx, int32_t unit);

  /// Fills destination[end - begin] with weights of [begin, end) of a unit's part; padding is 0.
  void load(ExecutionContext& ctx, int32_t unit, ftrun_part part, int64_t begin, int64_t end,
            const Tensor& destination);
  /// Replaces where load reads from; NULL gives up the files.
  void set_weights(std::unique_ptr<WeightSource> weights) { weights_ = std::move(weights); }

 private:
  void check_unit(int32_t unit) const;

  std::string name_;
  int32_t index_;
  std::shared_ptr<const NetworkModel> model_;
  ParameterLayout layout_;
  std::unique_ptr<WeightSource> weights_;
  int32_t lowest_trained_unit_ = -1;
  int32_t infer_walks_ = 0;
  std::vector<std::array<Tensor, 2>> bound_;              // by unit and part
  std::vector<Tensor> values_;                            // by parameter
  std::vector<std::shared_ptr<GradientTarget>> targets_;  // by parameter; NULL where frozen
  std::vector<std::shared_ptr<const Recipe>> recipes_;    // by parameter: its value, whatever is bound then
};

/// Fills `destination` from a source by the layout, padding with 0.
void fill_from(ExecutionContext& ctx, WeightSource& source, const NetworkModel& model, const ParameterLayout& layout,
               int32_t unit, ftrun_part part, int64_t begin, int64_t end, const Tensor& destination);

}  // namespace ftrun
