// Handles, views of shared storage and transfers between host and device.
#include "core/tensor/tensor.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {
namespace {

std::array<int64_t, FTRUN_MAX_DIMS> contiguous_strides(const Shape& shape) {
  std::array<int64_t, FTRUN_MAX_DIMS> strides = {0, 0, 0, 0};
  int64_t step = 1;
  for (int32_t axis = shape.ndim() - 1; axis >= 0; --axis) {
    strides[static_cast<size_t>(axis)] = step;
    step *= std::max<int64_t>(shape[axis], 1);
  }
  return strides;
}

Tensor make_view(const Tensor& base, const Shape& shape, const std::array<int64_t, FTRUN_MAX_DIMS>& strides,
                 int64_t first_element) {
  auto handle = std::make_unique<ftrun_tensor>();
  handle->dtype = base.dtype();
  handle->shape = shape;
  handle->strides = strides;
  handle->byte_offset = base.get()->byte_offset + static_cast<uint64_t>(first_element) * dtype_bytes(base.dtype());
  handle->storage = base.get()->storage;
  return Tensor::adopt(handle.release());
}

int32_t checked_axis(const Tensor& x, int32_t axis, const char* what) {
  const int32_t positive = axis < 0 ? axis + x.ndim() : axis;
  if (positive < 0 || positive >= x.ndim()) {
    throw invalid_argument("{}: {} has no axis {}", what, x.text(), axis);
  }
  return positive;
}

}  // namespace

Storage::Storage(Device& device, void* stream, uint64_t bytes, ftrun_memory_category category)
    : device_(device),
      stream_(stream),
      bytes_(bytes),
      category_(category),
      address_(device.allocate(stream, bytes, category)) {}

Storage::~Storage() { device_.deallocate(stream_, address_); }

Tensor Tensor::adopt(ftrun_tensor* handle) noexcept { return Tensor(handle); }

Tensor Tensor::share(ftrun_tensor* handle) noexcept {
  retain(handle);
  return Tensor(handle);
}

void Tensor::retain(ftrun_tensor* handle) noexcept {
  if (handle != nullptr) handle->references.fetch_add(1, std::memory_order_relaxed);
}

void Tensor::drop(ftrun_tensor* handle) noexcept {
  if (handle != nullptr && handle->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete handle;
}

bool Tensor::is_contiguous() const noexcept {
  if (element_count() == 0) return true;
  int64_t expected = 1;
  for (int32_t axis = ndim() - 1; axis >= 0; --axis) {
    if (shape()[axis] != 1 && handle_->strides[static_cast<size_t>(axis)] != expected) return false;
    expected *= shape()[axis];
  }
  return true;
}

bool Tensor::is_exclusive() const noexcept {
  return handle_->references.load(std::memory_order_acquire) == 1 && handle_->storage.use_count() == 1;
}

ftrun_view Tensor::view() const noexcept {
  ftrun_view view = {};
  view.data = handle_->storage->address();
  view.device_type = device().properties().type;
  view.device_id = device().properties().ordinal;
  view.ndim = ndim();
  view.dtype = dtype();
  view.shape = handle_->shape.data();
  view.strides = handle_->strides.data();
  view.byte_offset = handle_->byte_offset;
  return view;
}

std::string Tensor::text() const { return handle_ == nullptr ? "none" : dtype_name(dtype()) + shape_text(shape()); }

Tensor Tensor::reshape(const Shape& shape) const {
  if (!is_contiguous() || shape.element_count() != element_count()) {
    throw invalid_argument("reshape: {}{} cannot become {}", text(), is_contiguous() ? "" : " (not contiguous)",
                           shape_text(shape));
  }
  return make_view(*this, shape, contiguous_strides(shape), 0);
}

Tensor Tensor::slice(int32_t axis, int64_t begin, int64_t end) const {
  const int32_t at = checked_axis(*this, axis, "slice");
  if (begin < 0 || end < begin || end > dim(at)) {
    throw invalid_argument("slice: [{}, {}) does not lie inside axis {} of {}", begin, end, at, text());
  }
  return make_view(*this, shape().with_axis(at, end - begin), handle_->strides,
                   begin * handle_->strides[static_cast<size_t>(at)]);
}

Tensor Tensor::select(int32_t axis, int64_t index) const {
  const int32_t at = checked_axis(*this, axis, "select");
  if (index < 0 || index >= dim(at)) throw invalid_argument("select: axis {} of {} has no {}", at, text(), index);
  std::vector<int64_t> sizes;
  std::array<int64_t, FTRUN_MAX_DIMS> strides = {0, 0, 0, 0};
  for (int32_t other = 0; other < ndim(); ++other) {
    if (other == at) continue;
    strides[sizes.size()] = handle_->strides[static_cast<size_t>(other)];
    sizes.push_back(dim(other));
  }
  return make_view(*this, Shape(sizes), strides, index * handle_->strides[static_cast<size_t>(at)]);
}

Tensor Tensor::as_strided(const Shape& shape, std::span<const int64_t> strides, int64_t first_element) const {
  std::array<int64_t, FTRUN_MAX_DIMS> all = {0, 0, 0, 0};
  std::copy_n(strides.begin(), std::min<size_t>(strides.size(), all.size()), all.begin());
  return make_view(*this, shape, all, first_element);
}

Tensor Tensor::detach() const { return make_view(*this, shape(), handle_->strides, 0); }

Tensor empty_on(ExecutionContext& ctx, Device& device, ftrun_dtype dtype, const Shape& shape,
                ftrun_memory_category category) {
  auto handle = std::make_unique<ftrun_tensor>();
  handle->dtype = dtype;
  handle->shape = shape;
  handle->strides = contiguous_strides(shape);
  const uint64_t bytes = static_cast<uint64_t>(shape.element_count()) * dtype_bytes(dtype);
  handle->storage = std::make_shared<Storage>(device, ctx.stream_of(device), bytes, category);
  return Tensor::adopt(handle.release());
}

Tensor empty(ExecutionContext& ctx, ftrun_dtype dtype, const Shape& shape, ftrun_memory_category category,
             ftrun_placement placement) {
  return empty_on(ctx, ctx.device_at(placement), dtype, shape, category);
}

Tensor empty_like(ExecutionContext& ctx, const Tensor& like, ftrun_dtype dtype, ftrun_memory_category category) {
  return empty_on(ctx, like.device(), dtype, like.shape(), category);
}

Tensor from_host(ExecutionContext& ctx, ftrun_dtype dtype, const Shape& shape, const void* data,
                 ftrun_memory_category category) {
  Tensor result = empty(ctx, dtype, shape, category);
  write_from_host(ctx, result, data, result.bytes());
  return result;
}

void write_from_host(ExecutionContext& ctx, const Tensor& tensor, const void* data, uint64_t bytes) {
  if (!tensor.is_contiguous() || bytes != tensor.bytes()) {
    throw invalid_argument("{} bytes from the host do not fit the tensor {} of {} bytes", bytes, tensor.text(),
                           tensor.bytes());
  }
  if (bytes == 0) return;
  Device& device = tensor.device();
  void* stream = ctx.stream_of(device);
  device.copy(stream, tensor.address(), data, bytes, FTRUN_COPY_HOST_TO_DEVICE);
  device.synchronize(stream);
}

bool read(ExecutionContext& ctx, const Tensor& tensor, void* data, uint64_t bytes) {
  if (!tensor.is_contiguous() || bytes != tensor.bytes()) {
    throw invalid_argument("reading {} bytes of the tensor {} of {} bytes{}", bytes, tensor.text(), tensor.bytes(),
                           tensor.is_contiguous() ? "" : " (not contiguous)");
  }
  Device& device = tensor.device();
  void* stream = ctx.stream_of(device);
  std::fill_n(static_cast<std::byte*>(data), bytes, std::byte{0});
  if (bytes > 0) device.copy(stream, data, tensor.address(), bytes, FTRUN_COPY_DEVICE_TO_HOST);
  device.synchronize(stream);
  return !device.shapes_only();
}

std::vector<float> read_floats(ExecutionContext& ctx, const Tensor& tensor) {
  Tensor wide = tensor;
  if (tensor.dtype() != FTRUN_F32 || !tensor.is_contiguous()) {
    wide = empty_like(ctx, tensor, FTRUN_F32, FTRUN_MEMORY_WORKSPACE);
    execute(ctx, FTRUN_OP_COPY, {tensor}, {wide});
  }
  std::vector<float> values(static_cast<size_t>(wide.element_count()));
  read(ctx, wide, values.data(), values.size() * sizeof(float));
  return values;
}

bool shapes_only(const ExecutionContext& ctx) { return ctx.device->shapes_only(); }

}  // namespace ftrun
