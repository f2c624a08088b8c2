// Shapes of at most four dimensions, element types and their names.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "ftrun/tensor.h"

namespace ftrun {

/// Sizes of a tensor's axes, 0 to FTRUN_MAX_DIMS of them, each >= 0. A value type.
class Shape {
 public:
  Shape() = default;
  /// Throws INVALID_ARGUMENT for more than four axes or a negative size.
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);

  int32_t ndim() const noexcept { return ndim_; }
  /// Size of `axis`; negative counts from the end. No check beyond an assertion.
  int64_t operator[](int32_t axis) const noexcept {
    return sizes_[static_cast<size_t>(axis < 0 ? ndim_ + axis : axis)];
  }
  const int64_t* data() const noexcept { return sizes_.data(); }
  std::span<const int64_t> sizes() const noexcept { return {sizes_.data(), static_cast<size_t>(ndim_)}; }
  int64_t element_count() const noexcept;
  /// Size of the last axis, 1 without axes.
  int64_t last() const noexcept { return ndim_ == 0 ? 1 : (*this)[-1]; }
  /// Product of all axes but the last.
  int64_t rows() const noexcept;
  /// This shape without its last axis.
  Shape without_last() const;
  /// This shape with `size` as its last axis.
  Shape with_last(int64_t size) const;
  /// This shape with `size` as axis `axis` (0-based).
  Shape with_axis(int32_t axis, int64_t size) const;

  friend bool operator==(const Shape& a, const Shape& b) noexcept { return a.ndim_ == b.ndim_ && a.sizes_ == b.sizes_; }

 private:
  std::array<int64_t, FTRUN_MAX_DIMS> sizes_ = {0, 0, 0, 0};
  int32_t ndim_ = 0;
};

/// "[2, 3]".
std::string shape_text(const Shape& shape);
/// "f32", "bf16", "i32", ...; "dtype 0x..." for one that does not exist.
std::string dtype_name(ftrun_dtype dtype);
/// f32 or bf16: what ops compute with.
inline bool is_compute_float(ftrun_dtype dtype) noexcept { return dtype == FTRUN_F32 || dtype == FTRUN_BF16; }
/// Bytes of one element.
inline uint64_t dtype_bytes(ftrun_dtype dtype) noexcept { return FTRUN_DTYPE_BYTES(dtype); }

}  // namespace ftrun
