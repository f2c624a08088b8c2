// Log-probabilities of answers under a role: per token on the tape, summed per document on the host.
// Leaves out: losses (pair_loss.h) and where a reference model's sums come from (reference_logps.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "batching/micro_batch.h"
#include "ftrun/cpp/tensor.hpp"

namespace ftrun::preference {

struct SequenceLogps {
  sdk::Tensor logp_T;           ///< f32[T], 0 where there is no target; on the tape inside a recorded loss
  std::vector<double> sums;     ///< [segments] of the targets' log-probabilities, in index order
  std::vector<int64_t> tokens;  ///< [segments] targets
};

/// Walks the role over the batch; the logits of all tokens are never held. Every rank calls it equally often, a rank
/// without rows with an empty batch. [rank-thread]
SequenceLogps sequence_logps(const ftrun_host* host, ftrun_context* ctx, int32_t role,
                             const batching::MicroBatch& batch);

/// A scalar loss f32[1] that the host computed, with its gradient by `values` (f32[T], in host memory), on the tape.
sdk::Tensor host_loss(const ftrun_host* host, ftrun_context* ctx, const sdk::Tensor& values, double loss,
                      std::vector<float> gradient);

/// Writes `gradient` by a segment's sum to all of its targets.
void spread_gradient(const batching::MicroBatch& batch, int32_t segment, double gradient, std::span<float> out);

}  // namespace ftrun::preference
