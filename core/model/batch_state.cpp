// Checks a batch and copies it to the device.
#include "core/model/batch_state.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/model/abi_struct.h"

namespace ftrun {
namespace {

void check_batch(const NetworkModel& model, const ftrun_batch& batch) {
  const int64_t tokens = batch.n_tokens;
  if (tokens < 0 || tokens > INT32_MAX) throw invalid_argument("forward: a batch of {} tokens", tokens);
  if (tokens > 0 && (batch.input_ids == nullptr || batch.position_ids == nullptr || batch.segment_offsets == nullptr ||
                     batch.n_segments < 1)) {
    throw invalid_argument("forward: ids, positions or segments of the batch are missing");
  }
  if (tokens == 0) return;
  const int32_t* offsets = batch.segment_offsets;
  if (offsets[0] != 0 || offsets[batch.n_segments] != tokens ||
      !std::is_sorted(offsets, offsets + batch.n_segments + 1)) {
    throw invalid_argument("forward: segment offsets must rise from 0 to {} tokens", tokens);
  }
  const auto vocab = model.info().vocab_size;
  for (int64_t t = 0; t < tokens; ++t) {
    if (batch.input_ids[t] < 0 || batch.input_ids[t] >= vocab) {
      throw invalid_argument("forward: token id {} at position {} is outside the vocabulary of {}", batch.input_ids[t],
                             t, vocab);
    }
    if (batch.position_ids[t] < 0) throw invalid_argument("forward: position id {} is negative", batch.position_ids[t]);
  }
}

uint64_t content_key(std::span<const int32_t> ids) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const int32_t id : ids) hash = (hash ^ static_cast<uint32_t>(id)) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::shared_ptr<const BatchState> make_batch_state(ExecutionContext& ctx, const NetworkModel& model,
                                                   const ftrun_batch& given) {
  const ftrun_batch batch = read_abi_struct(&given, FTRUN_BATCH_TAG, "forward: batch");
  check_batch(model, batch);
  auto state = std::make_shared<BatchState>();
  state->tokens = batch.n_tokens;
  if (batch.n_tokens == 0) return state;
  auto segments = std::make_shared<ops::AttentionSegments>();
  segments->query_offsets.assign(batch.segment_offsets, batch.segment_offsets + batch.n_segments + 1);
  for (int32_t s = 0; s < batch.n_segments; ++s) {
    const auto from = static_cast<size_t>(batch.segment_offsets[s]);
    const auto count = static_cast<size_t>(batch.segment_offsets[s + 1]) - from;
    state->segment_keys.push_back(content_key({batch.input_ids + from, count}));
  }
  state->segments = std::move(segments);
  const ftrun_network_info& info = model.info();
  state->ids = from_host(ctx, FTRUN_I32, {batch.n_tokens}, batch.input_ids);
  const Tensor positions = from_host(ctx, FTRUN_I32, {batch.n_tokens}, batch.position_ids);
  const Tensor inv_freq = from_host(ctx, FTRUN_F32, {info.head_dim / 2}, info.rope_inv_freq);
  state->rope = ops::rope_table(ctx, positions, inv_freq, info.rope_scaling);
  return state;
}

}  // namespace ftrun
