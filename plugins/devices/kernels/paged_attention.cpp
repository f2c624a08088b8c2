// Decoding from a cache of blocks: the new keys and values are written, then flash attention reads the cache.
// Leaves out: the arithmetic (attention_forward.cpp).
#include <cstring>

#include "plugins/devices/kernels/attention.h"
#include "plugins/devices/kernels/op_table.h"

namespace ftrun::kernels {

using namespace reference;

namespace {

void check_blocks(const AttentionCall& call, int64_t segment) {
  const std::string name = "segment " + std::to_string(segment);
  const int64_t first = call.block_offsets[segment], count = call.block_offsets[segment + 1] - first;
  const int64_t needed = ceil_div(call.key_length(segment), call.block_rows);
  require(first >= 0 && count >= needed, name + ": " + std::to_string(call.key_length(segment)) + " keys need " +
                                             std::to_string(needed) + " blocks, it has " + std::to_string(count));
  for (int64_t block = first; block < first + needed; ++block) {
    require(call.blocks[block] >= 0 && (call.blocks[block] + 1) * call.block_rows <= call.keys,
            name + ": block " + std::to_string(call.blocks[block]) + " is outside a cache of " +
                std::to_string(call.keys) + " rows");
  }
}

void check_segments(const AttentionCall& call) {
  require(call.block_rows == kSmallestCacheBlock || call.block_rows == 64 || call.block_rows == kKeyColumns,
          "block_rows must be 32, 64 or 128, is " + std::to_string(call.block_rows));
  require(call.n_segments >= 0 && call.query_offsets != nullptr && call.key_lengths != nullptr &&
              call.block_offsets != nullptr && call.blocks != nullptr,
          "query_offsets, key_lengths, block_offsets and blocks are needed");
  require(call.query_offsets[0] == 0 && call.query_offsets[call.n_segments] == call.tokens,
          "query_offsets must run from 0 to T = " + std::to_string(call.tokens));
  for (int64_t s = 0; s < call.n_segments; ++s) {
    require(call.query_length(s) >= 0 && call.key_length(s) >= call.query_length(s),
            "segment " + std::to_string(s) + ": " + std::to_string(call.query_length(s)) + " new tokens of " +
                std::to_string(call.key_length(s)));
    check_blocks(call, s);
  }
}

AttentionCall paged_call(const ftrun_op_call& call) {
  const auto& attributes = attributes_of<ftrun_paged_attention_attributes>(call);
  AttentionCall work = attention_operands(call.inputs[0], call.inputs[3], call.inputs[4]);
  work.scale = static_cast<float>(attributes.scale);
  work.causal = true;
  work.n_segments = attributes.n_segments;
  work.query_offsets = attributes.query_offsets;
  work.key_lengths = attributes.key_lengths;
  work.block_rows = attributes.block_rows;
  work.block_offsets = attributes.block_offsets;
  work.blocks = attributes.blocks;
  check_segments(work);
  return work;
}

/// New rows of k (or v) to their places in the cache.
void write_rows(Context& ctx, const AttentionCall& call, const ftrun_view& rows, const ftrun_view& cache) {
  const int64_t bytes = call.groups * call.head_dim * static_cast<int64_t>(FTRUN_DTYPE_BYTES(cache.dtype));
  ctx.parallel.run(call.n_segments, [&](int64_t s) {
    const int64_t first = call.key_length(s) - call.query_length(s);
    for (int64_t i = 0; i < call.query_length(s); ++i) {
      std::memcpy(bytes_of(cache) + call.cache_row(s, first + i) * bytes,
                  bytes_of(rows) + (call.query_begin(s) + i) * bytes, static_cast<size_t>(bytes));
    }
  });
}

}  // namespace

void op_paged_attention(Context& ctx, const ftrun_op_call& call) {
  require_arity(call, 5, 5, 3);
  AttentionCall work = paged_call(call);
  const ftrun_view &q = call.inputs[0], &out = call.outputs[0];
  for (int i = 1; i < 3; ++i) {
    const ftrun_view &rows = call.inputs[i], &cache = call.inputs[i + 2];
    require_dtype(rows, cache.dtype, "k and v");
    require_contiguous(rows, "k and v");
    require(rows.ndim == 3 && rows.shape[0] == q.shape[0] && rows.shape[1] == cache.shape[1] &&
                rows.shape[2] == cache.shape[2],
            "k and v must be rows of the cache, one per query: " + view_text(rows) + " for " + view_text(cache));
    require(call.outputs[i].data == cache.data, "the cache is changed in place");
  }
  require_float(out, "out");
  require_contiguous(out, "out");
  require_same_shape(out, q, "out and q");
  work.out = {bytes_of(out), out.dtype};
  write_rows(ctx, work, call.inputs[1], call.inputs[3]);
  write_rows(ctx, work, call.inputs[2], call.inputs[4]);
  run_attention_forward(ctx, work);
}

}  // namespace ftrun::kernels
