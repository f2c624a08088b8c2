// Scalar reference kernels: elementwise ops, fill and copy. Arithmetic in f32, one rounding to the output's type.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_ELEMENTWISE_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_ELEMENTWISE_HPP_

#include <algorithm>

#include "ftrun/cpp/reference_kernels/operands.hpp"

namespace ftrun::reference {

/** log(1 / (1 + e^-x)) without overflow. */
inline float log_sigmoid(float x) { return std::min(x, 0.0f) - std::log1p(std::exp(-std::fabs(x))); }
/** 1 / (1 + e^-x) without overflow. */
inline float sigmoid(float x) {
  if (x >= 0) return 1.0f / (1.0f + std::exp(-x));
  const float e = std::exp(x);
  return e / (1.0f + e);
}
/** NaN in either operand gives NaN, as in IEEE 754-2019 maximum and minimum. */
inline float maximum(float a, float b) { return std::isnan(a) ? a : std::isnan(b) ? b : (a > b ? a : b); }
inline float minimum(float a, float b) { return std::isnan(a) ? a : std::isnan(b) ? b : (a < b ? a : b); }

/** (x) -> y: y = function(x). */
template <class Function>
void unary(const ftrun_op_call& call, Function function) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_float(x, "x");
  require_float(y, "y");
  require_same_shape(x, y, "x and y");
  require_contiguous(x, "x");
  require_contiguous(y, "y");
  const int64_t count = element_count(x);
  for (int64_t i = 0; i < count; ++i) {
    store_float(bytes_of(y), y.dtype, i, function(load_float(bytes_of(x), x.dtype, i)));
  }
}

/** How b of a binary op is read for the element in `row`, `column` of a. */
enum class Broadcast { kSame, kScalar, kRow, kColumn };

/** Throws when b's shape is not one that a binary op broadcasts. */
inline Broadcast broadcast_of(const ftrun_view& a, const ftrun_view& b) {
  if (same_shape(a, b)) return Broadcast::kSame;
  if (element_count(b) == 1) return Broadcast::kScalar;
  if (b.ndim == 1 && a.ndim >= 1 && b.shape[0] == last_size(a)) return Broadcast::kRow;
  const bool column = b.ndim == a.ndim && last_size(b) == 1 && row_count(b) == row_count(a) &&
                      std::equal(a.shape, a.shape + (a.ndim - 1), b.shape);
  require(column, "cannot broadcast " + view_text(b) + " to " + view_text(a));
  return Broadcast::kColumn;
}

/** (a, b) -> y: y = function(a, b) with b broadcast. */
template <class Function>
void binary(const ftrun_op_call& call, Function function) {
  require_arity(call, 2, 2, 1);
  const ftrun_view &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  require_float(a, "a");
  require_float(b, "b");
  require_float(y, "y");
  require_same_shape(a, y, "a and y");
  require_contiguous(a, "a");
  require_contiguous(b, "b");
  require_contiguous(y, "y");
  const Broadcast broadcast = broadcast_of(a, b);
  const int64_t columns = last_size(a), count = element_count(a);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t j = broadcast == Broadcast::kSame     ? i
                      : broadcast == Broadcast::kScalar ? 0
                      : broadcast == Broadcast::kRow    ? i % columns
                                                        : i / columns;
    store_float(bytes_of(y), y.dtype, i,
                function(load_float(bytes_of(a), a.dtype, i), load_float(bytes_of(b), b.dtype, j)));
  }
}

inline void op_add(const ftrun_op_call& call) {
  binary(call, [](float a, float b) { return a + b; });
}
inline void op_sub(const ftrun_op_call& call) {
  binary(call, [](float a, float b) { return a - b; });
}
inline void op_mul(const ftrun_op_call& call) {
  binary(call, [](float a, float b) { return a * b; });
}
inline void op_div(const ftrun_op_call& call) {
  binary(call, [](float a, float b) { return a / b; });
}
inline void op_maximum(const ftrun_op_call& call) { binary(call, maximum); }
inline void op_minimum(const ftrun_op_call& call) { binary(call, minimum); }
inline void op_greater_equal(const ftrun_op_call& call) {
  binary(call, [](float a, float b) { return a >= b ? 1.0f : 0.0f; });
}

inline void op_neg(const ftrun_op_call& call) {
  unary(call, [](float x) { return -x; });
}
inline void op_exp(const ftrun_op_call& call) {
  unary(call, [](float x) { return std::exp(x); });
}
inline void op_log(const ftrun_op_call& call) {
  unary(call, [](float x) { return std::log(x); });
}
inline void op_sqrt(const ftrun_op_call& call) {
  unary(call, [](float x) { return std::sqrt(x); });
}
inline void op_rsqrt(const ftrun_op_call& call) {
  unary(call, [](float x) { return 1.0f / std::sqrt(x); });
}
inline void op_square(const ftrun_op_call& call) {
  unary(call, [](float x) { return x * x; });
}
inline void op_reciprocal(const ftrun_op_call& call) {
  unary(call, [](float x) { return 1.0f / x; });
}
inline void op_sigmoid(const ftrun_op_call& call) { unary(call, sigmoid); }
inline void op_log_sigmoid(const ftrun_op_call& call) { unary(call, log_sigmoid); }
inline void op_silu(const ftrun_op_call& call) {
  unary(call, [](float x) { return x * sigmoid(x); });
}
inline void op_relu(const ftrun_op_call& call) {
  unary(call, [](float x) { return maximum(x, 0.0f); });
}
inline void op_tanh(const ftrun_op_call& call) {
  unary(call, [](float x) { return std::tanh(x); });
}
inline void op_abs(const ftrun_op_call& call) {
  unary(call, [](float x) { return std::fabs(x); });
}
inline void op_sin(const ftrun_op_call& call) {
  unary(call, [](float x) { return std::sin(x); });
}
inline void op_cos(const ftrun_op_call& call) {
  unary(call, [](float x) { return std::cos(x); });
}

inline void op_affine(const ftrun_op_call& call) {
  const auto& attributes = attributes_of<ftrun_affine_attributes>(call);
  const float alpha = static_cast<float>(attributes.alpha), beta = static_cast<float>(attributes.beta);
  unary(call, [alpha, beta](float x) { return std::fma(alpha, x, beta); });
}

inline void op_clamp(const ftrun_op_call& call) {
  const auto& attributes = attributes_of<ftrun_clamp_attributes>(call);
  const float low = static_cast<float>(attributes.low), high = static_cast<float>(attributes.high);
  unary(call, [low, high](float x) { return minimum(maximum(x, low), high); });
}

/** (x, y0) -> y = y0 + alpha x; y is y0's view. */
inline void op_axpy(const ftrun_op_call& call) {
  require_arity(call, 2, 2, 1);
  const float alpha = static_cast<float>(attributes_of<ftrun_affine_attributes>(call).alpha);
  const ftrun_view &x = call.inputs[0], &y0 = call.inputs[1], &y = call.outputs[0];
  for (const ftrun_view* view : {&x, &y0, &y}) {
    require_float(*view, "operand");
    require_contiguous(*view, "operand");
    require_same_shape(x, *view, "operands");
  }
  require(bytes_of(y0) == bytes_of(y) && y0.dtype == y.dtype, "y must be y0's view");
  const int64_t count = element_count(x);
  for (int64_t i = 0; i < count; ++i) {
    const float value = std::fma(alpha, load_float(bytes_of(x), x.dtype, i), load_float(bytes_of(y0), y0.dtype, i));
    store_float(bytes_of(y), y.dtype, i, value);
  }
}

/** (condition, a, b) -> y = condition != 0 ? a : b. */
inline void op_select(const ftrun_op_call& call) {
  require_arity(call, 3, 3, 1);
  const ftrun_view &condition = call.inputs[0], &a = call.inputs[1], &b = call.inputs[2], &y = call.outputs[0];
  for (const ftrun_view* view : {&condition, &a, &b, &y}) {
    require_float(*view, "operand");
    require_contiguous(*view, "operand");
    require_same_shape(condition, *view, "operands");
  }
  const int64_t count = element_count(y);
  for (int64_t i = 0; i < count; ++i) {
    const bool chosen = load_float(bytes_of(condition), condition.dtype, i) != 0.0f;
    const ftrun_view& source = chosen ? a : b;
    store_float(bytes_of(y), y.dtype, i, load_float(bytes_of(source), source.dtype, i));
  }
}

inline void op_fill(const ftrun_op_call& call) {
  require_arity(call, 0, 0, 1);
  const double value = attributes_of<ftrun_fill_attributes>(call).value;
  const ftrun_view& y = call.outputs[0];
  const int64_t count = element_count(y);
  for (int64_t i = 0; i < count; ++i) store_double(bytes_of(y), y.dtype, strided_offset(y, i), value);
}

/** True for the types whose values double cannot hold exactly. */
inline bool is_wide_integer(ftrun_dtype dtype) { return dtype == FTRUN_I64 || dtype == FTRUN_U64; }

/** (x) -> y: values converted. Integers convert to integers modulo 2^bits, floats to integers by integer_from_double.
 */
inline void op_copy(const ftrun_op_call& call) {
  require_arity(call, 1, 1, 1);
  const ftrun_view &x = call.inputs[0], &y = call.outputs[0];
  require_same_shape(x, y, "x and y");
  const uint64_t size = FTRUN_DTYPE_BYTES(x.dtype);
  const auto wide_load = [&x](int64_t offset) {
    switch (x.dtype) {
      case FTRUN_I32:
        return static_cast<int64_t>(elements_of<int32_t>(x)[offset]);
      case FTRUN_U8:
        return static_cast<int64_t>(elements_of<uint8_t>(x)[offset]);
      case FTRUN_U32:
        return static_cast<int64_t>(elements_of<uint32_t>(x)[offset]);
      default:
        return elements_of<int64_t>(x)[offset];
    }
  };
  const auto is_integer = [](ftrun_dtype dtype) { return (dtype & 0xffu) < 2u; };
  const int64_t count = element_count(x);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = strided_offset(x, i), to = strided_offset(y, i);
    if (x.dtype == y.dtype) {
      std::memcpy(bytes_of(y) + to * static_cast<int64_t>(size), bytes_of(x) + from * static_cast<int64_t>(size), size);
    } else if (is_integer(x.dtype) && is_integer(y.dtype)) {
      const int64_t value = wide_load(from);
      std::memcpy(bytes_of(y) + to * static_cast<int64_t>(FTRUN_DTYPE_BYTES(y.dtype)), &value,
                  FTRUN_DTYPE_BYTES(y.dtype));
    } else {
      store_double(bytes_of(y), y.dtype, to, load_double(bytes_of(x), x.dtype, from));
    }
  }
}

}  // namespace ftrun::reference

#endif  // FTRUN_CPP_REFERENCE_KERNELS_ELEMENTWISE_HPP_
