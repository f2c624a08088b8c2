// Dropout composed from uniform numbers, a comparison and a product.
#include "core/model/dropout.h"

#include "core/base/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/layout.h"
#include "core/ops/random.h"

namespace ftrun {
namespace {

/// SplitMix64's finaliser: neighbouring keys give unrelated streams.
uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

Tensor dropout(ExecutionContext& ctx, const Tensor& x, double probability, const BatchState& batch,
               const DropoutKey& key) {
  if (!(probability >= 0 && probability < 1)) throw invalid_argument("dropout: probability {}", probability);
  if (x.ndim() < 1 || x.dim(0) != batch.tokens) {
    throw invalid_argument("dropout: {} has not one row per token ({})", x.text(), batch.tokens);
  }
  const int64_t row = batch.tokens == 0 ? 0 : x.element_count() / batch.tokens;
  const Tensor uniform = empty(ctx, FTRUN_F32, {batch.tokens * row});
  const uint64_t call =
      mix(mix(key.update) + (static_cast<uint64_t>(key.unit) << 32) + static_cast<uint64_t>(key.site));
  for (int32_t s = 0; s < batch.segments->count(); ++s) {
    const int64_t from = batch.segments->query_offsets[static_cast<size_t>(s)] * row;
    const int64_t to = batch.segments->query_offsets[static_cast<size_t>(s) + 1] * row;
    const uint64_t stream = mix(call ^ batch.segment_keys[static_cast<size_t>(s)]);
    ops::random_uniform(ctx, uniform.slice(0, from, to), key.seed, stream, 0, 0.0, 1.0);
  }
  const Tensor threshold = ops::full(ctx, FTRUN_F32, {1}, probability);
  const Tensor kept = ops::greater_equal(ctx, uniform, threshold);
  const Tensor factor = ops::cast(ctx, ops::affine(ctx, kept, 1.0 / (1.0 - probability)), x.dtype());
  return ops::mul(ctx, x, factor.reshape(x.shape()));
}

}  // namespace ftrun
