// Gradients that are reduced every micro-batch and summed after that.
// Leaves out: gradients reduced once per update (update_gradients.h).
#pragma once

#include <deque>

#include "sharding/gradients.h"

namespace ftrun::sharding {

/// A unit's gradient of one micro-batch lives in a transient buffer from its backward until it is reduced; only the sum
/// of what this rank keeps stays until the step. One unit is reduced while the next one is computed.
class MicroBatchGradients : public Gradients {
 public:
  /// `keeps_slice`: of the sum a rank keeps its slice, at `placement`; otherwise everything.
  MicroBatchGradients(bool keeps_slice, ftrun_placement placement) : keeps_slice_(keeps_slice), placement_(placement) {}

  void finish(const sdk::ShardCalls& calls) override;
  sdk::Tensor reduced(const sdk::ShardCalls& calls, size_t index, Region region) override;
  void release(const sdk::ShardCalls& calls) override;

 protected:
  void added() override { sums_.emplace_back(), transient_.emplace_back(); }
  void prepare(const sdk::ShardCalls& calls, size_t index) override;
  void reduce(const sdk::ShardCalls& calls, size_t index, bool is_last) override;

 private:
  struct Reduction {
    size_t index = 0;
    bool is_last = false;
    sdk::Tensor data;  ///< whole unit, wire dtype
    sdk::Work work;
    sdk::Work replicas_work;
  };

  /// The elements this rank keeps.
  Region kept(size_t index) const;
  void start(const sdk::ShardCalls& calls, Reduction& reduction);
  void retire(const sdk::ShardCalls& calls);

  bool keeps_slice_;
  ftrun_placement placement_;
  std::vector<sdk::Tensor> sums_;       ///< by unit; empty until the update's first reduction
  std::vector<sdk::Tensor> transient_;  ///< by unit; bound while backward runs
  std::deque<Reduction> in_flight_;
};

}  // namespace ftrun::sharding
