// Times training steps of a model with random weights on random tokens.
// Leaves out: printing (bench_command.cpp) and the machine's limits (gemm_peak.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/bench/bench_options.h"
#include "core/bench/op_profile.h"
#include "core/model/rank.h"
#include "core/train/run.h"

namespace ftrun {

/// Wall-clock milliseconds of one update.
struct StepTimes {
  double data = 0;
  double forward = 0;
  double backward = 0;
  double optimizer = 0;  ///< gradient norm, clipping, update
  double other = 0;
  double total = 0;
};

/// A composed model without paradigm and data. [rank-thread] after construction
class TrainingBench {
 public:
  explicit TrainingBench(const BenchOptions& options);
  TrainingBench(const TrainingBench&) = delete;
  TrainingBench& operator=(const TrainingBench&) = delete;
  ~TrainingBench();

  ftrun_context& context() { return rank_instance_->rank().context(); }
  Device& device() { return devices_->device(); }
  const NetworkModel& model() const noexcept { return *model_; }
  const std::filesystem::path& model_config() const noexcept { return setup_.model.file; }
  int64_t tokens_per_step() const noexcept { return options_.seq * options_.batch; }
  /// 6 N + 6 L h T, where N counts the weights that a token is multiplied with (an embedding only when the head uses
  /// it), L layers, h = heads x head_dim, T tokens of a row. With pairs on frozen weights 4 N + 6 L h T: weights have
  /// no gradient, and the pairs are not counted. Recompute is not counted. Source: PaLM, appendix B, with causal
  /// attention counted half.
  double model_flops_per_token() const noexcept;

  StepTimes step();

 private:
  Tensor loss();

  BenchOptions options_;
  HostServices host_services_;
  RunSetup setup_;
  std::unique_ptr<OpenedDevices> devices_;
  std::shared_ptr<const NetworkModel> model_;
  std::unique_ptr<Optimizer> optimizer_;
  RankServices services_;
  std::unique_ptr<RankInstance> rank_instance_;
  std::vector<int32_t> ids_, positions_, labels_, offsets_;
  int64_t steps_ = 0;
};

}  // namespace ftrun
