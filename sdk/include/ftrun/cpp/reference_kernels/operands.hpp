// What the reference kernels share: the error they throw, checks of views, and typed access to single elements.
// Leaves out: speed. C++17, header-only, no state.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_OPERANDS_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_OPERANDS_HPP_

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include "ftrun/cpp/half.hpp"
#include "ftrun/cpp/plugin.hpp"
#include "ftrun/kinds/device.h"

namespace ftrun::reference {

/** Thrown by a kernel before it wrote anything; a device turns it into a status at its ABI edge. */
using KernelError = sdk::Error;

inline const char* dtype_name(ftrun_dtype dtype) {
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
      return "unknown dtype";
  }
}

/** "f32[2, 3]", for messages. */
inline std::string view_text(const ftrun_view& view) {
  std::string text = std::string(dtype_name(view.dtype)) + "[";
  for (int32_t axis = 0; axis < view.ndim; ++axis) {
    text += (axis ? ", " : "") + std::to_string(view.shape[axis]);
  }
  return text + "]";
}

inline int64_t element_count(const ftrun_view& view) {
  int64_t count = 1;
  for (int32_t axis = 0; axis < view.ndim; ++axis) count *= view.shape[axis];
  return count;
}

/** Size of the last axis, 1 for a scalar. */
inline int64_t last_size(const ftrun_view& view) { return view.ndim ? view.shape[view.ndim - 1] : 1; }
/** Product of all axes but the last. */
inline int64_t row_count(const ftrun_view& view) {
  int64_t count = 1;
  for (int32_t axis = 0; axis + 1 < view.ndim; ++axis) count *= view.shape[axis];
  return count;
}

inline bool is_contiguous(const ftrun_view& view) {
  int64_t expected = 1;
  for (int32_t axis = view.ndim - 1; axis >= 0; --axis) {
    if (view.shape[axis] != 1 && view.strides[axis] != expected) return element_count(view) == 0;
    expected *= view.shape[axis];
  }
  return true;
}

inline bool same_shape(const ftrun_view& a, const ftrun_view& b) {
  if (a.ndim != b.ndim) return false;
  for (int32_t axis = 0; axis < a.ndim; ++axis) {
    if (a.shape[axis] != b.shape[axis]) return false;
  }
  return true;
}

inline char* bytes_of(const ftrun_view& view) { return static_cast<char*>(view.data) + view.byte_offset; }
template <class T>
T* elements_of(const ftrun_view& view) {
  return reinterpret_cast<T*>(bytes_of(view));
}

/** Throws INVALID_ARGUMENT with `message` unless `condition`. */
inline void require(bool condition, const std::string& message) {
  if (!condition) throw KernelError(FTRUN_INVALID_ARGUMENT, message);
}

inline void require_contiguous(const ftrun_view& view, const char* what) {
  require(is_contiguous(view), std::string(what) + " must be contiguous");
}
inline void require_float(const ftrun_view& view, const char* what) {
  require(view.dtype == FTRUN_F32 || view.dtype == FTRUN_BF16,
          std::string(what) + " must be f32 or bf16, is " + view_text(view));
}
inline void require_dtype(const ftrun_view& view, ftrun_dtype dtype, const char* what) {
  require(view.dtype == dtype, std::string(what) + " must be " + dtype_name(dtype) + ", is " + view_text(view));
}
inline void require_same_shape(const ftrun_view& a, const ftrun_view& b, const char* what) {
  require(same_shape(a, b), std::string(what) + ": shapes differ: " + view_text(a) + " and " + view_text(b));
}
/** Checks the number of operands; n_inputs_max allows optional trailing inputs. */
inline void require_arity(const ftrun_op_call& call, int32_t n_inputs_min, int32_t n_inputs_max, int32_t n_outputs) {
  require(call.n_inputs >= n_inputs_min && call.n_inputs <= n_inputs_max && call.n_outputs == n_outputs,
          "takes " + std::to_string(n_inputs_min) + " inputs and " + std::to_string(n_outputs) + " outputs, got " +
              std::to_string(call.n_inputs) + " and " + std::to_string(call.n_outputs));
}

/** The op's attribute struct; throws when it is absent, foreign or too short. */
template <class Attributes>
const Attributes& attributes_of(const ftrun_op_call& call) {
  const auto* head = static_cast<const ftrun_head*>(call.attributes);
  require(head != nullptr, "attributes are missing");
  require(head->tag == FTRUN_ATTRIBUTES_TAG && head->struct_size >= sizeof(Attributes) &&
              head->struct_size <= FTRUN_STRUCT_SIZE_MAX,
          "attributes have a wrong tag or struct_size");
  return *static_cast<const Attributes*>(call.attributes);
}

/** Element `index` (in elements from the view's start) of an f32 or bf16 buffer. */
inline float load_float(const char* data, ftrun_dtype dtype, int64_t index) {
  if (dtype == FTRUN_F32) return reinterpret_cast<const float*>(data)[index];
  return bf16_to_float(reinterpret_cast<const uint16_t*>(data)[index]);
}
inline void store_float(char* data, ftrun_dtype dtype, int64_t index, float value) {
  if (dtype == FTRUN_F32) {
    reinterpret_cast<float*>(data)[index] = value;
  } else {
    reinterpret_cast<uint16_t*>(data)[index] = bf16_from_float(value);
  }
}

/** Float to integer: nearest even, saturating, NaN gives 0. */
template <class Integer>
Integer integer_from_double(double value) {
  if (std::isnan(value)) return 0;
  const double rounded = std::nearbyint(value);
  if (rounded <= static_cast<double>(std::numeric_limits<Integer>::min())) return std::numeric_limits<Integer>::min();
  if (rounded >= static_cast<double>(std::numeric_limits<Integer>::max())) return std::numeric_limits<Integer>::max();
  return static_cast<Integer>(rounded);
}

/** Writes a double as `dtype`. */
inline void store_double(char* data, ftrun_dtype dtype, int64_t index, double value) {
  switch (dtype) {
    case FTRUN_F64:
      reinterpret_cast<double*>(data)[index] = value;
      break;
    case FTRUN_F32:
      reinterpret_cast<float*>(data)[index] = static_cast<float>(value);
      break;
    case FTRUN_F16:
      reinterpret_cast<uint16_t*>(data)[index] = f16_from_double(value);
      break;
    case FTRUN_BF16:
      reinterpret_cast<uint16_t*>(data)[index] = bf16_from_double(value);
      break;
    case FTRUN_I64:
      reinterpret_cast<int64_t*>(data)[index] = integer_from_double<int64_t>(value);
      break;
    case FTRUN_I32:
      reinterpret_cast<int32_t*>(data)[index] = integer_from_double<int32_t>(value);
      break;
    case FTRUN_U8:
      reinterpret_cast<uint8_t*>(data)[index] = integer_from_double<uint8_t>(value);
      break;
    case FTRUN_U32:
      reinterpret_cast<uint32_t*>(data)[index] = integer_from_double<uint32_t>(value);
      break;
    case FTRUN_U64:
      reinterpret_cast<uint64_t*>(data)[index] = integer_from_double<uint64_t>(value);
      break;
    default:
      throw KernelError(FTRUN_INVALID_ARGUMENT, "unknown dtype");
  }
}

/** Reads an element as double (64-bit integers beyond 2^53 round). */
inline double load_double(const char* data, ftrun_dtype dtype, int64_t index) {
  switch (dtype) {
    case FTRUN_F64:
      return reinterpret_cast<const double*>(data)[index];
    case FTRUN_F32:
      return reinterpret_cast<const float*>(data)[index];
    case FTRUN_F16:
      return f16_to_float(reinterpret_cast<const uint16_t*>(data)[index]);
    case FTRUN_BF16:
      return bf16_to_float(reinterpret_cast<const uint16_t*>(data)[index]);
    case FTRUN_I64:
      return static_cast<double>(reinterpret_cast<const int64_t*>(data)[index]);
    case FTRUN_I32:
      return reinterpret_cast<const int32_t*>(data)[index];
    case FTRUN_U8:
      return reinterpret_cast<const uint8_t*>(data)[index];
    case FTRUN_U32:
      return reinterpret_cast<const uint32_t*>(data)[index];
    case FTRUN_U64:
      return static_cast<double>(reinterpret_cast<const uint64_t*>(data)[index]);
    default:
      throw KernelError(FTRUN_INVALID_ARGUMENT, "unknown dtype");
  }
}

/** Offset in elements of the `linear`-th element (last axis fastest) of a strided view. */
inline int64_t strided_offset(const ftrun_view& view, int64_t linear) {
  int64_t offset = 0;
  for (int32_t axis = view.ndim - 1; axis >= 0; --axis) {
    offset += (linear % view.shape[axis]) * view.strides[axis];
    linear /= view.shape[axis];
  }
  return offset;
}

}  // namespace ftrun::reference

#endif  // FTRUN_CPP_REFERENCE_KERNELS_OPERANDS_HPP_
