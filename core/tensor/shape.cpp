// Shape arithmetic and names of element types.
#include "core/tensor/shape.h"

#include <algorithm>

#include "core/base/error.h"

namespace ftrun {

Shape::Shape(std::span<const int64_t> sizes) : ndim_(static_cast<int32_t>(sizes.size())) {
  if (sizes.size() > FTRUN_MAX_DIMS) {
    throw invalid_argument("a tensor has at most {} axes, not {}", FTRUN_MAX_DIMS, sizes.size());
  }
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    if (sizes[axis] < 0) throw invalid_argument("axis {} of a shape has the negative size {}", axis, sizes[axis]);
    sizes_[axis] = sizes[axis];
  }
}

int64_t Shape::element_count() const noexcept {
  int64_t count = 1;
  for (const int64_t size : sizes()) count *= size;
  return count;
}

int64_t Shape::rows() const noexcept {
  int64_t count = 1;
  for (int32_t axis = 0; axis + 1 < ndim_; ++axis) count *= (*this)[axis];
  return count;
}

Shape Shape::without_last() const { return Shape(sizes().first(static_cast<size_t>(std::max(ndim_ - 1, 0)))); }

Shape Shape::with_last(int64_t size) const {
  if (ndim_ == 0) return {size};
  return with_axis(ndim_ - 1, size);
}

Shape Shape::with_axis(int32_t axis, int64_t size) const {
  Shape result = *this;
  result.sizes_[static_cast<size_t>(axis)] = size;
  return result;
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (int32_t axis = 0; axis < shape.ndim(); ++axis) {
    text += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  }
  return text + "]";
}

std::string dtype_name(ftrun_dtype dtype) {
  switch (dtype) {
    case FTRUN_F64:
      return "f64";
    case FTRUN_F32:
      return "f32";
    case FTRUN_F16:
      return "f16";
    case FTRUN_BF16:
      return "bf16";
    case FTRUN_I64:
      return "i64";
    case FTRUN_I32:
      return "i32";
    case FTRUN_U8:
      return "u8";
    case FTRUN_U32:
      return "u32";
    case FTRUN_U64:
      return "u64";
    default:
      return fmt::format("dtype {:#x}", dtype);
  }
}

}  // namespace ftrun
