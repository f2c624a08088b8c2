// Gradients that are summed locally over an update's micro-batches and reduced once.
// Leaves out: gradients reduced every micro-batch (micro_batch_gradients.h).
#pragma once

#include "sharding/bucket_reducer.h"
#include "sharding/gradients.h"

namespace ftrun::sharding {

/// Every rank keeps the whole gradient from a unit's first backward of the update to the step. Reductions overlap the
/// last micro-batch's backward.
class UpdateGradients : public Gradients {
 public:
  /// `scatter`: a rank needs the sum of its slice only.
  UpdateGradients(bool scatter, int64_t bucket_elements) : reducer_(scatter, bucket_elements) {}

  void finish(const sdk::ShardCalls& calls) override;
  sdk::Tensor reduced(const sdk::ShardCalls& calls, size_t index, Region region) override;
  void release(const sdk::ShardCalls& calls) override;

 protected:
  void added() override { whole_.emplace_back(); }
  void prepare(const sdk::ShardCalls& calls, size_t index) override;
  void reduce(const sdk::ShardCalls& calls, size_t index, bool is_last) override;

 private:
  BucketReducer reducer_;
  std::vector<sdk::Tensor> whole_;  ///< by unit; empty between a step and the next backward
};

}  // namespace ftrun::sharding
