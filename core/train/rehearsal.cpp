// A step in which tasks do not run.
#include "core/train/rehearsal.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/model/abi_struct.h"
#include "core/parallel/thread_pool.h"

namespace ftrun {
namespace {

/// Rows as long as the longest of the data, so that what depends on a row's length is planned for too.
std::vector<int32_t> row_offsets(Run& run, int64_t tokens) {
  int64_t row = tokens;
  if (run.opened_data() != nullptr) {
    const auto& train = prepared_data(*run.opened_data()).train;
    if (train != nullptr && train->longest_row() > 0) row = std::min(row, train->longest_row());
  }
  std::vector<int32_t> offsets = {0};
  for (int64_t end = row; end < tokens; end += row) offsets.push_back(static_cast<int32_t>(end));
  offsets.push_back(static_cast<int32_t>(tokens));
  return offsets;
}

void walk(Run& run, int64_t tokens) {
  const std::vector<int32_t> zeros(static_cast<size_t>(tokens), 0);  // ids, positions and labels alike
  const std::vector<int32_t> offsets = row_offsets(run, tokens);
  auto batch = make_abi_struct<ftrun_batch>(FTRUN_BATCH_TAG);
  batch.n_tokens = tokens;
  batch.input_ids = zeros.data();
  batch.position_ids = zeros.data();
  batch.n_segments = static_cast<int32_t>(offsets.size()) - 1;
  batch.segment_offsets = offsets.data();
  Rank& rank = run.rank();
  const SkipParallelWork nothing_computed;
  rank.train_micro_batch(0, 1, [&] {
    const Tensor hidden_TD = rank.forward(run.trained_role(), batch);
    return rank.head_cross_entropy_sum(run.trained_role(), hidden_TD, zeros, {}, 1.0);
  });
  rank.finish_grads();
}

/// The strategy's own end of an update: gradients are given up and zeroed. Rank::update changes nothing meanwhile.
void end_update(Rank& rank) {
  const SkipParallelWork nothing_computed;
  const int64_t steps = rank.steps();
  rank.step(0, 0);
  rank.set_steps(steps);
}

}  // namespace

void rehearse_longest_micro_batch(Run& run) {
  const int64_t tokens = run.plan().max_micro_batch_tokens;
  if (tokens <= 0 || tokens > INT32_MAX || !run.device().host_accessible()) return;
  try {
    walk(run, tokens);
  } catch (const Error& error) {
    // Anything else is the first step's to report: it may come from values that were never computed.
    if (error.code() == FTRUN_RESOURCE_EXHAUSTED)
      log_warning("the longest micro-batch, of up to {} tokens, may not fit when it comes: {}", tokens, error.what());
  }
  end_update(run.rank());
}

}  // namespace ftrun
