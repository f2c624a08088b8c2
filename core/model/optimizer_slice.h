// Optimizer state of one slice of a unit's trained part: master weights, named states, runs of equal hyper-parameters.
// Leaves out: the update rule (core/optim), and who owns which slice (strategies).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/parameter_layout.h"
#include "core/optim/optimizer.h"
#include "core/tensor/tensor.h"
#include "ftrun/shard.h"

/// Elements [begin, end) of a unit's padded trained part. Owned by the Rank.
struct ftrun_optimizer_slice {
  /// Elements [begin, end) of the slice with equal hyper-parameters; runs cover the slice, padding included.
  struct Run {
    int64_t begin = 0;
    int64_t end = 0;
    bool decays = false;
    double learning_rate_ratio = 1.0;
  };

  int32_t role = 0;
  int32_t unit = 0;
  int64_t begin = 0;
  int64_t end = 0;
  ftrun_placement placement = FTRUN_PLACEMENT_DEVICE;
  ftrun::Tensor master;               ///< f32; empty where the compute weights are the only copy
  std::vector<ftrun::Tensor> states;  ///< f32, in the order of Optimizer::state_names()
  std::vector<Run> runs;
};

namespace ftrun {

std::vector<ftrun_optimizer_slice::Run> optimizer_runs(const NetworkModel& model, const ParameterLayout& layout,
                                                       int32_t unit, int64_t begin, int64_t end);

/// One update of a slice: gradient (f32 or bf16) and compute are [end - begin], each on the rank's device or the host
/// device. It runs where the state is: the gradient is copied there, the new weights back.
void update_slice(ExecutionContext& ctx, const Optimizer& optimizer, const ftrun_optimizer_slice& slice,
                  const Tensor& gradient, const Tensor& compute, double grad_scale, double learning_rate,
                  double weight_decay, int64_t step);

/// to = from, converted; devices may differ (then through host memory, with a wait).
void copy_between(ExecutionContext& ctx, const Tensor& from, const Tensor& to);
/// to += from, converted; likewise.
void accumulate_between(ExecutionContext& ctx, const Tensor& from, const Tensor& to);

}  // namespace ftrun
