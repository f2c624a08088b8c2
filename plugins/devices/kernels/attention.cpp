// Checks of the flash-attention ops. Leaves out: the arithmetic (attention_forward.cpp, attention_backward.cpp).
#include "plugins/devices/kernels/attention.h"

#include <algorithm>

namespace ftrun::kernels {

using namespace reference;

namespace {

void check_segments(const AttentionCall& call) {
  require(call.n_segments >= 0 && call.query_offsets != nullptr, "query_offsets is missing");
  require((call.key_begins == nullptr) == (call.key_lengths == nullptr), "key_begins and key_lengths come together");
  require(call.query_offsets[0] == 0 && call.query_offsets[call.n_segments] == call.tokens,
          "query_offsets must run from 0 to T = " + std::to_string(call.tokens));
  for (int64_t s = 0; s < call.n_segments; ++s) {
    const std::string name = "segment " + std::to_string(s);
    require(call.query_length(s) >= 0, name + ": query_offsets must ascend");
    require(call.key_begin(s) >= 0 && call.key_length(s) >= 0 && call.key_begin(s) + call.key_length(s) <= call.keys,
            name + ": keys [" + std::to_string(call.key_begin(s)) + ", +" + std::to_string(call.key_length(s)) +
                ") are outside the " + std::to_string(call.keys) + " given");
  }
}

}  // namespace

AttentionCall attention_operands(const ftrun_view& q, const ftrun_view& k, const ftrun_view& v) {
  for (const ftrun_view* view : {&q, &k, &v}) {
    require_float(*view, "q, k and v");
    require_contiguous(*view, "q, k and v");
    require(view->ndim == 3, "q, k and v must be [tokens, heads, head_dim], is " + view_text(*view));
  }
  require_same_shape(k, v, "k and v");
  require(q.shape[2] == k.shape[2] && q.shape[2] >= 1 && q.shape[2] <= kMaxHeadDim,
          "head_dim must be equal and at most " + std::to_string(kMaxHeadDim) + ": q " + view_text(q) + ", k " +
              view_text(k));
  require(k.shape[1] >= 1 && q.shape[1] % k.shape[1] == 0,
          "query heads must be a multiple of key-value heads: q " + view_text(q) + ", k " + view_text(k));
  AttentionCall work{};
  work.q = {bytes_of(q), q.dtype};
  work.k = {bytes_of(k), k.dtype};
  work.v = {bytes_of(v), v.dtype};
  work.tokens = q.shape[0];
  work.keys = k.shape[0];
  work.heads = q.shape[1];
  work.groups = k.shape[1];
  work.head_dim = q.shape[2];
  work.tokens_per_block = std::max<int64_t>(1, kQueryRows / work.group_heads());
  return work;
}

AttentionCall attention_call(const ftrun_op_call& call, int32_t first_input) {
  const auto& attributes = attributes_of<ftrun_attention_attributes>(call);
  AttentionCall work =
      attention_operands(call.inputs[first_input], call.inputs[first_input + 1], call.inputs[first_input + 2]);
  work.scale = static_cast<float>(attributes.scale);
  work.causal = attributes.causal != 0;
  work.n_segments = attributes.n_segments;
  work.query_offsets = attributes.query_offsets;
  work.key_begins = attributes.key_begins;
  work.key_lengths = attributes.key_lengths;
  check_segments(work);
  return work;
}

int64_t split_blocks(Context& ctx, AttentionCall& call) {
  auto* starts =
      reinterpret_cast<int64_t*>(ctx.scratch.shared(static_cast<uint64_t>(call.n_segments + 1) * sizeof(int64_t)));
  int64_t blocks = 0;
  for (int64_t s = 0; s < call.n_segments; ++s) {
    starts[s] = blocks;
    blocks += ceil_div(call.query_length(s), call.tokens_per_block);
  }
  starts[call.n_segments] = blocks;
  call.block_starts = starts;
  return blocks;
}

}  // namespace ftrun::kernels
