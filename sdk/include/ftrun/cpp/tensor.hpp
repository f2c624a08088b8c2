// RAII over the tensor handle and calls by name. Leaves out: parameters and heads (context calls take raw handles'
// get()).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "ftrun/cpp/plugin.hpp"
#include "ftrun/ops.h"
#include "ftrun/tensor.h"

namespace ftrun::sdk {
inline namespace v1 {

/// Owning reference to a tensor. Empty by default.
class Tensor {
 public:
  Tensor() noexcept = default;
  /// Takes over `handle`'s reference.
  Tensor(const ftrun_host* host, ftrun_tensor* handle) noexcept : host_(host), handle_(handle) {}
  Tensor(Tensor&& other) noexcept : host_(other.host_), handle_(std::exchange(other.handle_, nullptr)) {}
  Tensor(const Tensor& other) noexcept : host_(other.host_), handle_(other.handle_) {
    if (handle_ != nullptr) host_->tensor->retain(handle_);
  }
  Tensor& operator=(Tensor other) noexcept {
    std::swap(host_, other.host_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Tensor() {
    if (handle_ != nullptr) host_->tensor->release(handle_);
  }

  ftrun_tensor* get() const noexcept { return handle_; }
  /// Gives up the reference, for outputs of the ABI.
  ftrun_tensor* release() noexcept { return std::exchange(handle_, nullptr); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  ftrun_view view() const {
    ftrun_view result;
    check(host_->tensor->view(handle_, &result));
    return result;
  }
  int64_t dim(int32_t axis) const {
    const ftrun_view shape = view();
    return shape.shape[axis < 0 ? shape.ndim + axis : axis];
  }

 private:
  const ftrun_host* host_ = nullptr;
  ftrun_tensor* handle_ = nullptr;
};

/// Tensor calls on one context, as values. All [rank-thread]; failures throw HostFailure.
class TensorCalls {
 public:
  TensorCalls(const ftrun_host* host, ftrun_context* ctx) noexcept : host_(host), ctx_(ctx) {}
  const ftrun_host* host() const noexcept { return host_; }
  ftrun_context* context() const noexcept { return ctx_; }

  Tensor empty(ftrun_dtype dtype, std::initializer_list<int64_t> shape, ftrun_memory_category category,
               ftrun_placement placement = FTRUN_PLACEMENT_DEVICE) const {
    ftrun_tensor* out = nullptr;
    check(host_->tensor->empty(ctx_, dtype, static_cast<int32_t>(shape.size()), shape.begin(), category, placement,
                               &out));
    return {host_, out};
  }
  Tensor reshape(const Tensor& x, std::initializer_list<int64_t> shape) const {
    ftrun_tensor* out = nullptr;
    check(host_->tensor->reshape(ctx_, x.get(), static_cast<int32_t>(shape.size()), shape.begin(), &out));
    return {host_, out};
  }
  Tensor slice(const Tensor& x, int32_t axis, int64_t begin, int64_t end) const {
    ftrun_tensor* out = nullptr;
    check(host_->tensor->slice(ctx_, x.get(), axis, begin, end, &out));
    return {host_, out};
  }
  /// Op with one output.
  Tensor op(std::string_view name, std::initializer_list<const Tensor*> inputs,
            const void* attributes = nullptr) const {
    std::vector<ftrun_tensor*> handles;
    for (const Tensor* input : inputs) handles.push_back(input->get());
    ftrun_tensor* out = nullptr;
    check(
        host_->tensor->op(ctx_, str(name), handles.data(), static_cast<int32_t>(handles.size()), attributes, &out, 1));
    return {host_, out};
  }
  Tensor add(const Tensor& a, const Tensor& b) const { return op(FTRUN_OP_ADD, {&a, &b}); }
  Tensor mul(const Tensor& a, const Tensor& b) const { return op(FTRUN_OP_MUL, {&a, &b}); }
  Tensor swiglu(const Tensor& gate, const Tensor& up) const { return op(FTRUN_OP_SWIGLU, {&gate, &up}); }
  /// Host copy of a small tensor of elements T.
  template <typename T>
  std::vector<T> read(const Tensor& x) const {
    const ftrun_view shape = x.view();
    uint64_t count = 1;
    for (int32_t axis = 0; axis < shape.ndim; ++axis) count *= static_cast<uint64_t>(shape.shape[axis]);
    std::vector<T> values(count);
    int32_t no_value = 0;
    check(host_->tensor->read(ctx_, x.get(), values.data(), count * sizeof(T), &no_value));
    return values;
  }

 private:
  const ftrun_host* host_;
  ftrun_context* ctx_;
};

}  // namespace v1
}  // namespace ftrun::sdk
