// ftrun_shard_api: what strategies build on.
#include <vector>

#include "core/model/abi_struct.h"
#include "core/model/api_tables.h"
#include "core/model/thunk.h"

namespace ftrun {
namespace {

ftrun_status bind_compute(ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part,
                          ftrun_tensor* flat) noexcept {
  return guard_abi([&] {
    Rank& rank = rank_of(ctx);
    rank.role(role).bind_compute(unit, part, Tensor::share(flat), rank.arguments().precision.compute);
  });
}

ftrun_status bind_gradient(ftrun_context* ctx, int32_t role, int32_t unit, ftrun_tensor* flat) noexcept {
  return guard_abi([&] { rank_of(ctx).role(role).bind_gradient(*ctx, unit, Tensor::share(flat)); });
}

ftrun_status zero_gradient(ftrun_context* ctx, int32_t role, int32_t unit) noexcept {
  return guard_abi([&] { rank_of(ctx).role(role).zero_gradient(unit); });
}

ftrun_status load_slice(ftrun_context* ctx, int32_t role, int32_t unit, ftrun_part part, int64_t begin, int64_t end,
                        ftrun_tensor* destination) noexcept {
  return guard_abi(
      [&] { rank_of(ctx).role(role).load(*ctx, unit, part, begin, end, borrowed(destination, "load_slice")); });
}

ftrun_status optimizer_create(ftrun_context* ctx, int32_t role, int32_t unit, int64_t begin, int64_t end,
                              ftrun_placement placement, ftrun_optimizer_slice** out) noexcept {
  *out = nullptr;
  return guard_abi([&] { *out = rank_of(ctx).create_optimizer_slice(role, unit, begin, end, placement); });
}

ftrun_status optimizer_update(ftrun_context* ctx, int32_t n, const ftrun_span* spans, double grad_scale,
                              double learning_rate) noexcept {
  return guard_abi([&] {
    // An array of a growing struct: the writer's size is the stride.
    std::vector<ftrun_span> copies;
    const char* bytes = reinterpret_cast<const char*>(spans);
    for (int32_t i = 0; i < n; ++i) {
      const auto* span = reinterpret_cast<const ftrun_span*>(bytes);
      copies.push_back(read_abi_struct(span, FTRUN_SPAN_TAG, "optimizer_update"));
      bytes += span->head.struct_size;
    }
    rank_of(ctx).update(copies, grad_scale, learning_rate);
  });
}

ftrun_status grad_norm(ftrun_context* ctx, int32_t n, ftrun_tensor* const* slices, double* norm) noexcept {
  *norm = 0;
  return guard_abi([&] {
    std::vector<Tensor> tensors;
    for (int32_t i = 0; i < n; ++i) tensors.push_back(borrowed(slices[i], "grad_norm"));
    *norm = rank_of(ctx).grad_norm(tensors);
  });
}

ftrun_status gradient_final(ftrun_context* ctx, ftrun_tensor* slice) noexcept {
  return guard_abi([&] { rank_of(ctx).gradient_final(borrowed(slice, "gradient_final")); });
}

ftrun_status copy(ftrun_context* ctx, ftrun_tensor* from, ftrun_tensor* to) noexcept {
  return guard_abi([&] { copy_between(*ctx, borrowed(from, "copy"), borrowed(to, "copy")); });
}

ftrun_status accumulate(ftrun_context* ctx, ftrun_tensor* from, ftrun_tensor* to) noexcept {
  return guard_abi([&] { accumulate_between(*ctx, borrowed(from, "accumulate"), borrowed(to, "accumulate")); });
}

constexpr ftrun_shard_api kTable = {{sizeof(ftrun_shard_api), FTRUN_SHARD_API_TAG},
                                    bind_compute,
                                    bind_gradient,
                                    zero_gradient,
                                    load_slice,
                                    optimizer_create,
                                    optimizer_update,
                                    grad_norm,
                                    copy,
                                    accumulate,
                                    gradient_final};

}  // namespace

const ftrun_shard_api* shard_api_table() noexcept { return &kTable; }

}  // namespace ftrun
