// ftrun_tensor_api over core/tensor and core/ops.
#include <vector>

#include "core/model/abi_struct.h"
#include "core/model/api_tables.h"
#include "core/model/thunk.h"
#include "core/ops/custom_op.h"
#include "core/ops/layout.h"
#include "core/ops/op_table.h"

namespace ftrun {
namespace {

Shape shape_of(int32_t ndim, const int64_t* sizes) {
  if (ndim < 0 || ndim > FTRUN_MAX_DIMS || (ndim > 0 && sizes == nullptr))
    throw invalid_argument("a shape of {} axes", ndim);
  return Shape(std::span(sizes, static_cast<size_t>(ndim)));
}

std::vector<Tensor> shared(ftrun_tensor* const* handles, int32_t count) {
  std::vector<Tensor> tensors;
  for (int32_t i = 0; i < count; ++i) tensors.push_back(Tensor::share(handles[i]));
  return tensors;
}

void retain(ftrun_tensor* tensor) noexcept { Tensor::retain(tensor); }
void release(ftrun_tensor* tensor) noexcept { Tensor::drop(tensor); }

ftrun_status view(ftrun_tensor* tensor, ftrun_view* out) noexcept {
  return guard_abi([&] { *out = borrowed(tensor, "view").view(); });
}

ftrun_status make_empty(ftrun_context* ctx, ftrun_dtype dtype, int32_t ndim, const int64_t* shape,
                        ftrun_memory_category category, ftrun_placement placement, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    if (category < 0 || category >= FTRUN_MEMORY_CATEGORY_COUNT) throw invalid_argument("empty: category {}", category);
    *out = empty(*ctx, dtype, shape_of(ndim, shape), category, placement).release();
  });
}

ftrun_status make_from_host(ftrun_context* ctx, ftrun_dtype dtype, int32_t ndim, const int64_t* shape, const void* data,
                            uint64_t bytes, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] {
    const Shape sizes = shape_of(ndim, shape);
    const uint64_t needed = static_cast<uint64_t>(sizes.element_count()) * dtype_bytes(dtype);
    if (bytes != needed)
      throw invalid_argument("from_host: {} bytes for {} of {}", bytes, shape_text(sizes), dtype_name(dtype));
    *out = from_host(*ctx, dtype, sizes, data).release();
  });
}

ftrun_status read_tensor(ftrun_context* ctx, ftrun_tensor* tensor, void* data, uint64_t bytes,
                         int32_t* no_value) noexcept {
  return guard_abi([&] {
    const bool real = read(*ctx, borrowed(tensor, "read"), data, bytes);
    if (no_value != nullptr) *no_value = real ? 0 : 1;
  });
}

ftrun_status reshape(ftrun_context* ctx, ftrun_tensor* tensor, int32_t ndim, const int64_t* shape,
                     ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] { *out = ops::reshape(*ctx, borrowed(tensor, "reshape"), shape_of(ndim, shape)).release(); });
}

ftrun_status slice(ftrun_context* ctx, ftrun_tensor* tensor, int32_t axis, int64_t begin, int64_t end,
                   ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] { *out = ops::slice(*ctx, borrowed(tensor, "slice"), axis, begin, end).release(); });
}

ftrun_status detach(ftrun_context*, ftrun_tensor* tensor, ftrun_tensor** out) noexcept {
  *out = nullptr;
  return guard_abi([&] { *out = borrowed(tensor, "detach").detach().release(); });
}

ftrun_status op(ftrun_context* ctx, ftrun_str name, ftrun_tensor* const* inputs, int32_t n_inputs,
                const void* attributes, ftrun_tensor** outputs, int32_t n_outputs) noexcept {
  for (int32_t i = 0; i < n_outputs; ++i) outputs[i] = nullptr;
  return guard_abi([&] {
    std::vector<Tensor> results = ops::run_op(*ctx, text_of(name), shared(inputs, n_inputs), attributes, n_outputs);
    for (int32_t i = 0; i < n_outputs; ++i) outputs[i] = results[static_cast<size_t>(i)].release();
  });
}

ftrun_status custom_op(ftrun_context* ctx, ftrun_str name, ftrun_tensor* const* inputs, int32_t n_inputs,
                       ftrun_tensor* const* outputs, int32_t n_outputs, ftrun_custom_backward backward, void* state,
                       void (*destroy)(void* state)) noexcept {
  return guard_abi([&] {
    ops::record_custom_op(*ctx, ctx, text_of(name), shared(inputs, n_inputs), shared(outputs, n_outputs), backward,
                          state, destroy);
  });
}

constexpr ftrun_tensor_api kTable = {{sizeof(ftrun_tensor_api), FTRUN_TENSOR_API_TAG},
                                     retain,
                                     release,
                                     view,
                                     make_empty,
                                     make_from_host,
                                     read_tensor,
                                     reshape,
                                     slice,
                                     detach,
                                     op,
                                     custom_op};

}  // namespace

const ftrun_tensor_api* tensor_api_table() noexcept { return &kTable; }

}  // namespace ftrun
