// The tensor: an intrusively counted handle over shared, stream-ordered device memory, and its C++ smart handle.
// Leaves out: ops on tensors (core/ops) and what the autograd fields mean (core/autograd).
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/tensor/execution_context.h"
#include "core/tensor/shape.h"
#include "ftrun/tensor.h"

namespace ftrun {

class GradientTarget;
class Tensor;

/// Computes a tensor again (see core/autograd/saved_tensor.h).
using Recipe = std::function<Tensor(ExecutionContext&)>;

/// Device memory of one allocation, returned stream-ordered on destruction. Shared by all tensors that view it.
class Storage {
 public:
  /// Allocates. Throws RESOURCE_EXHAUSTED with the device's message.
  Storage(Device& device, void* stream, uint64_t bytes, ftrun_memory_category category);
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage();

  Device& device() const noexcept { return device_; }
  void* address() const noexcept { return address_; }
  uint64_t bytes() const noexcept { return bytes_; }
  ftrun_memory_category category() const noexcept { return category_; }

 private:
  Device& device_;
  void* stream_;
  uint64_t bytes_;
  ftrun_memory_category category_;
  void* address_;
};

/// How a tensor hangs on a tape: as output `output` of node `node` of the tape `tape_id`, or as a leaf with a target.
struct AutogradMeta {
  uint64_t tape_id = 0;  ///< 0: no history
  int32_t node = 0;
  int32_t output = 0;
  std::shared_ptr<GradientTarget> target;  ///< leaves only: where the gradient goes
  std::shared_ptr<const Recipe> recipe;    ///< of a cheap op's output: how to make it again
};

}  // namespace ftrun

/// The opaque handle of the C ABI. Fields other than the count and `autograd` are fixed after construction. Shape and
/// strides are in elements.
struct ftrun_tensor {
  std::atomic<int32_t> references{1};
  ftrun_dtype dtype = FTRUN_F32;
  ftrun::Shape shape;
  std::array<int64_t, FTRUN_MAX_DIMS> strides = {0, 0, 0, 0};
  uint64_t byte_offset = 0;
  std::shared_ptr<ftrun::Storage> storage;
  ftrun::AutogradMeta autograd;
};

namespace ftrun {

/// Owning reference to an ftrun_tensor; empty by default. Copies share the handle. [rank-thread]
class Tensor {
 public:
  Tensor() noexcept = default;
  Tensor(const Tensor& other) noexcept : handle_(other.handle_) { retain(handle_); }
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Tensor() { drop(handle_); }

  /// Takes over the reference that `handle` stands for (NULL gives an empty Tensor).
  static Tensor adopt(ftrun_tensor* handle) noexcept;
  /// A further reference to a borrowed handle (NULL gives an empty Tensor).
  static Tensor share(ftrun_tensor* handle) noexcept;
  static void retain(ftrun_tensor* handle) noexcept;
  static void drop(ftrun_tensor* handle) noexcept;

  explicit operator bool() const noexcept { return handle_ != nullptr; }
  ftrun_tensor* get() const noexcept { return handle_; }
  /// Gives up the reference, for outputs of the C ABI.
  ftrun_tensor* release() noexcept { return std::exchange(handle_, nullptr); }

  ftrun_dtype dtype() const noexcept { return handle_->dtype; }
  const Shape& shape() const noexcept { return handle_->shape; }
  int32_t ndim() const noexcept { return handle_->shape.ndim(); }
  /// Size of `axis`, negative from the end.
  int64_t dim(int32_t axis) const noexcept { return handle_->shape[axis]; }
  int64_t element_count() const noexcept { return handle_->shape.element_count(); }
  uint64_t bytes() const noexcept { return static_cast<uint64_t>(element_count()) * dtype_bytes(dtype()); }
  bool is_contiguous() const noexcept;
  Device& device() const noexcept { return handle_->storage->device(); }
  const Storage& storage() const noexcept { return *handle_->storage; }
  /// Device address of element 0.
  void* address() const noexcept { return static_cast<std::byte*>(handle_->storage->address()) + handle_->byte_offset; }
  /// True when no other handle and no other tensor can see this memory, so that it may be overwritten.
  bool is_exclusive() const noexcept;

  /// Pointers inside stay valid while the handle lives.
  ftrun_view view() const noexcept;
  /// "bf16[2, 3]", for messages.
  std::string text() const;

  // Views without history (ops.h in core/ops has the differentiable forms). They share storage.

  /// Other shape, same elements. Throws INVALID_ARGUMENT unless contiguous and of equal count.
  Tensor reshape(const Shape& shape) const;
  /// Elements [begin, end) of `axis`.
  Tensor slice(int32_t axis, int64_t begin, int64_t end) const;
  /// Element `index` of `axis`; the axis disappears.
  Tensor select(int32_t axis, int64_t index) const;
  /// Any strided window of the storage: shape, strides and first element relative to this tensor's first element.
  Tensor as_strided(const Shape& shape, std::span<const int64_t> strides, int64_t first_element = 0) const;
  /// Same elements, no history.
  Tensor detach() const;

  AutogradMeta& autograd() const noexcept { return handle_->autograd; }
  /// Has a history on some tape, or is a leaf with a gradient target.
  bool requires_grad() const noexcept { return handle_->autograd.tape_id != 0 || handle_->autograd.target != nullptr; }

 private:
  explicit Tensor(ftrun_tensor* handle) noexcept : handle_(handle) {}
  ftrun_tensor* handle_ = nullptr;
};

/// Uninitialised contiguous tensor. Throws RESOURCE_EXHAUSTED with the device's message.
Tensor empty(ExecutionContext& ctx, ftrun_dtype dtype, const Shape& shape,
             ftrun_memory_category category = FTRUN_MEMORY_ACTIVATIONS,
             ftrun_placement placement = FTRUN_PLACEMENT_DEVICE);
/// Uninitialised contiguous tensor on the device that `like` is on, with its shape.
Tensor empty_like(ExecutionContext& ctx, const Tensor& like, ftrun_dtype dtype,
                  ftrun_memory_category category = FTRUN_MEMORY_ACTIVATIONS);
Tensor empty_on(ExecutionContext& ctx, Device& device, ftrun_dtype dtype, const Shape& shape,
                ftrun_memory_category category);

/// Contiguous tensor on the rank's device with a copy of host data (product(shape) elements). The data is free for
/// reuse on return.
Tensor from_host(ExecutionContext& ctx, ftrun_dtype dtype, const Shape& shape, const void* data,
                 ftrun_memory_category category = FTRUN_MEMORY_ACTIVATIONS);

/// Overwrites a contiguous tensor's elements from host memory; `bytes` must equal its size.
void write_from_host(ExecutionContext& ctx, const Tensor& tensor, const void* data, uint64_t bytes);

/// Copies a contiguous tensor to host memory; waits and throws pending errors. Returns false (and zeros) when the
/// device keeps shapes only: then nothing may depend on the values.
bool read(ExecutionContext& ctx, const Tensor& tensor, void* data, uint64_t bytes);
/// read as f32 numbers (f32 and bf16 tensors).
std::vector<float> read_floats(ExecutionContext& ctx, const Tensor& tensor);

/// True when the rank's device only keeps shapes.
bool shapes_only(const ExecutionContext& ctx);

/// Runs a device op by name on tensors; an empty Tensor is passed as an absent operand (data NULL). The dtype for
/// find_op is the first float operand's (input, else output). No recording, no checks beyond the device's. `attributes`
/// may be NULL.
void execute(ExecutionContext& ctx, std::string_view name, std::span<const Tensor> inputs,
             std::span<const Tensor> outputs, const void* attributes = nullptr);
inline void execute(ExecutionContext& ctx, std::string_view name, std::initializer_list<Tensor> inputs,
                    std::initializer_list<Tensor> outputs, const void* attributes = nullptr) {
  execute(ctx, name, std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()), attributes);
}

/// A zeroed attribute struct with its head filled: `auto a = attributes<ftrun_fill_attributes>();`.
template <class Attributes>
Attributes attributes() {
  Attributes result = {};
  result.head.struct_size = sizeof(Attributes);
  result.head.tag = FTRUN_ATTRIBUTES_TAG;
  return result;
}

}  // namespace ftrun
