// Optimizers over flat spans: names of their states and one update.
// Leaves out: learning-rate schedules (core/train), who owns the spans and where they live (core/model, strategies).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/tensor/tensor.h"

namespace ftrun {

/// Hyper-parameters as configured.
struct OptimizerArguments {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
};

/// One contiguous run of elements with equal hyper-parameters. All [N], contiguous, on one device.
struct OptimizerSpan {
  Tensor gradient;   ///< f32 or bf16; not changed
  Tensor master;     ///< f32 weights, updated in place (bf16 where training is purely bf16: then the only copy)
  Tensor parameter;  ///< compute copy that receives the rounded result; empty when master is the parameter
  std::span<const Tensor> states;  ///< one per Optimizer::state_names(), f32, updated in place
  double learning_rate = 0;
  double weight_decay = 0;
};

/// An update rule. Stateless itself: all state is in the spans and the step number. [rank-thread]
class Optimizer {
 public:
  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer() = default;
  /// Names of the per-element states, as checkpoints call them ("exp_avg"). All start as zeros.
  virtual std::span<const std::string> state_names() const = 0;
  /// Update number `step` (1-based) with gradient * grad_scale. Runs on the device that the span's tensors are on.
  virtual void update(ExecutionContext& ctx, const OptimizerSpan& span, double grad_scale, int64_t step) const = 0;
};

/// By configured name: adamw_torch, adamw_torch_fused, adamw_hf, adamw (all AdamW). INVALID_ARGUMENT with the nearest
/// name.
std::unique_ptr<Optimizer> make_optimizer(std::string_view name, const OptimizerArguments& arguments);
/// Names that make_optimizer knows.
std::span<const std::string> optimizer_names();

}  // namespace ftrun
