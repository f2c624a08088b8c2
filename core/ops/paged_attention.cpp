// The device's fused kernel, or copies to and from the cache around plain attention.
#include "core/ops/paged_attention.h"

#include <algorithm>
#include <memory>

#include "core/ops/attention.h"
#include "core/ops/checks.h"
#include "core/ops/layout.h"

namespace ftrun::ops {
namespace {

constexpr const char* kName = FTRUN_OP_PAGED_ATTENTION;

/// Calls part(first token, tokens, cache row) for the runs of tokens [begin, end) of sequence s that lie end to end.
template <class Part>
void for_runs(const PagedSegments& segments, size_t s, int64_t begin, int64_t end, const Part& part) {
  for (int64_t token = begin; token < end;) {
    const int64_t within = token % segments.block_rows;
    const int64_t count = std::min(end - token, segments.block_rows - within);
    const auto block = static_cast<size_t>(segments.block_offsets[s] + token / segments.block_rows);
    part(token, count, static_cast<int64_t>(segments.blocks[block]) * segments.block_rows + within);
    token += count;
  }
}

void write_rows(ExecutionContext& ctx, const PagedSegments& segments, const Tensor& rows, const Tensor& cache) {
  for (size_t s = 0; s + 1 < segments.query_offsets.size(); ++s) {
    const int64_t end = segments.key_lengths[s];
    const int64_t first = end - (segments.query_offsets[s + 1] - segments.query_offsets[s]);
    for_runs(segments, s, first, end, [&](int64_t token, int64_t count, int64_t row) {
      const int64_t source = segments.query_offsets[s] + token - first;
      copy_into(ctx, rows.slice(0, source, source + count), cache.slice(0, row, row + count));
    });
  }
}

Tensor laid_end_to_end(ExecutionContext& ctx, const PagedSegments& segments, const Tensor& cache) {
  int64_t total = 0;
  for (const int32_t length : segments.key_lengths) total += length;
  const Tensor rows =
      empty_on(ctx, cache.device(), cache.dtype(), {total, cache.dim(1), cache.dim(2)}, FTRUN_MEMORY_WORKSPACE);
  int64_t begin = 0;
  for (size_t s = 0; s < segments.key_lengths.size(); ++s) {
    for_runs(segments, s, 0, segments.key_lengths[s], [&](int64_t token, int64_t count, int64_t row) {
      copy_into(ctx, cache.slice(0, row, row + count), rows.slice(0, begin + token, begin + token + count));
    });
    begin += segments.key_lengths[s];
  }
  return rows;
}

Tensor composed(ExecutionContext& ctx, const Tensor& q, const Tensor& keys, const Tensor& values,
                const PagedSegments& paged, double scale) {
  auto segments = std::make_shared<AttentionSegments>();
  segments->query_offsets = paged.query_offsets;
  segments->key_lengths = paged.key_lengths;
  int32_t begin = 0;
  for (const int32_t length : paged.key_lengths) {
    segments->key_begins.push_back(begin);
    begin += length;
  }
  return attention(ctx, q, laid_end_to_end(ctx, paged, keys), laid_end_to_end(ctx, paged, values), segments, scale);
}

}  // namespace

Tensor paged_attention(ExecutionContext& ctx, const Tensor& q_any, const Tensor& k_any, const Tensor& v_any,
                       const Tensor& keys, const Tensor& values, const PagedSegments& segments, double scale) {
  const OpLabel label(ctx, kName);
  refuse_gradient(ctx, kName, {q_any, k_any, v_any});
  require_float(kName, "q", q_any);
  require_ndim(kName, "q", q_any, 3);
  for (const Tensor& rows : {k_any, v_any}) {
    require_dtype(kName, "k and v", rows, keys.dtype());
    require_shape(kName, "k and v", rows, {q_any.dim(0), keys.dim(1), keys.dim(2)});
  }
  require_shape(kName, "values", values, keys.shape());
  const Tensor q = contiguous(ctx, q_any);
  const Tensor k = contiguous(ctx, k_any);
  const Tensor v = contiguous(ctx, v_any);
  if (!has_fused(q, kName)) {
    write_rows(ctx, segments, k, keys);
    write_rows(ctx, segments, v, values);
    return composed(ctx, q, keys, values, segments, scale);
  }
  Tensor out = empty_like(ctx, q, q.dtype());
  if (q.dim(0) == 0) return out;
  auto given = attributes<ftrun_paged_attention_attributes>();
  given.scale = scale;
  given.n_segments = segments.count();
  given.block_rows = segments.block_rows;
  given.query_offsets = segments.query_offsets.data();
  given.key_lengths = segments.key_lengths.data();
  given.block_offsets = segments.block_offsets.data();
  given.blocks = segments.blocks.data();
  execute(ctx, kName, {q, k, v, keys, values}, {out, keys, values}, &given);
  return out;
}

}  // namespace ftrun::ops
