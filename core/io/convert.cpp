// Element conversions, branch-free per element so that the compiler vectorises the loops.
#include "core/io/convert.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "core/base/error.h"

namespace ftrun {
namespace {

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

constexpr uint32_t kF32Infinity = 0x7F800000;

float widen(Bf16 value) noexcept { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

// A subnormal is placed below 2^-14 and that is taken off again, exactly, so no subnormal float is ever an operand: the
// result does not depend on whether the processor flushes those.
float widen(F16 value) noexcept {
  constexpr uint32_t kRebias = (127 - 15) << 23;
  const uint32_t magnitude = uint32_t{value.bits & 0x7FFFu} << 13;
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude + (113u << 23)) - 0x1p-14f);
  const uint32_t special = magnitude | kF32Infinity | (magnitude > 0x0F800000 ? 0x00400000u : 0u);
  uint32_t bits = magnitude < (1u << 23) ? subnormal : magnitude + kRebias;
  bits = magnitude >= 0x0F800000 ? special : bits;
  return std::bit_cast<float>(bits | uint32_t{value.bits & 0x8000u} << 16);
}

float widen(float value) noexcept { return value; }

Bf16 narrow_bf16(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  const uint32_t quiet_nan = bits >> 16 | 0x40;
  return {static_cast<uint16_t>((bits & 0x7FFFFFFF) > kF32Infinity ? quiet_nan : rounded)};
}

// Adding a power of two whose last place is one half-precision last place makes the adder itself round to nearest even.
F16 narrow_f16(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000;
  const uint32_t normal = (magnitude - 0x38000000 + 0xFFF + (magnitude >> 13 & 1)) >> 13;
  uint32_t result = magnitude < 0x38800000 ? subnormal : normal;
  result = magnitude >= 0x477FF000 ? 0x7C00 : result;
  result = magnitude > kF32Infinity ? 0x7E00 | (magnitude >> 13 & 0x3FF) : result;
  return {static_cast<uint16_t>(sign | result)};
}

// Rounding to odd keeps in the last bit whether anything was cut off, so that a second rounding to at least two bits
// less is as if it were the only one.
float round_to_odd(double value) noexcept {
  const auto nearest = static_cast<float>(value);
  if (!std::isfinite(value) || static_cast<double>(nearest) == value) return nearest;
  const bool away = std::fabs(static_cast<double>(nearest)) > std::fabs(value);
  const uint32_t bits = std::bit_cast<uint32_t>(nearest);
  return std::bit_cast<float>((away ? bits - 1 : bits) | 1u);
}

template <typename To>
To narrow(float value) noexcept {
  if constexpr (std::is_same_v<To, Bf16>) return narrow_bf16(value);
  if constexpr (std::is_same_v<To, F16>) return narrow_f16(value);
  if constexpr (std::is_same_v<To, float>) return value;
  if constexpr (std::is_same_v<To, double>) return static_cast<double>(value);
}

template <typename From, typename To>
To convert_one(From value) noexcept {
  if constexpr (std::is_same_v<From, double> && std::is_same_v<To, float>) {
    return static_cast<float>(value);
  } else if constexpr (std::is_same_v<From, double>) {
    return narrow<To>(round_to_odd(value));
  } else {
    return narrow<To>(widen(value));
  }
}

bool is_infinite(Bf16 value) noexcept { return (value.bits & 0x7FFF) == 0x7F80; }
bool is_infinite(F16 value) noexcept { return (value.bits & 0x7FFF) == 0x7C00; }
bool is_infinite(float value) noexcept { return (std::bit_cast<uint32_t>(value) & 0x7FFFFFFF) == kF32Infinity; }
bool is_infinite(double value) noexcept {
  return (std::bit_cast<uint64_t>(value) & ~(uint64_t{1} << 63)) == uint64_t{0x7FF} << 52;
}

template <typename From>
From load(const std::byte* source, size_t i) noexcept {
  From value;
  std::memcpy(&value, source + i * sizeof(From), sizeof(From));
  return value;
}

template <typename From, typename To>
uint64_t count_overflows(const std::byte* source, const std::byte* destination, size_t count) noexcept {
  uint32_t infinite = 0;
  for (size_t i = 0; i < count; ++i) infinite += static_cast<uint32_t>(is_infinite(load<To>(destination, i)));
  if (infinite == 0) return 0;
  for (size_t i = 0; i < count; ++i) infinite -= static_cast<uint32_t>(is_infinite(load<From>(source, i)));
  return infinite;
}

template <typename From, typename To>
uint64_t convert_all(const std::byte* source, std::byte* destination, size_t count) noexcept {
  constexpr bool kMayOverflow = sizeof(From) > sizeof(To) || (std::is_same_v<From, Bf16> && std::is_same_v<To, F16>);
  // Counting in the same loop would keep it from being vectorised; block by block the elements are still in the cache.
  constexpr size_t kBlock = 2048;
  uint64_t overflowed = 0;
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t size = std::min(kBlock, count - begin);
    const std::byte* __restrict from = source + begin * sizeof(From);
    std::byte* __restrict to = destination + begin * sizeof(To);
    for (size_t i = 0; i < size; ++i) {
      const To value = convert_one<From, To>(load<From>(from, i));
      std::memcpy(to + i * sizeof(To), &value, sizeof(To));
    }
    if constexpr (kMayOverflow) overflowed += count_overflows<From, To>(from, to, size);
  }
  return overflowed;
}

using Converter = uint64_t (*)(const std::byte*, std::byte*, size_t) noexcept;

template <typename From>
Converter converter_from(StoredDtype to) {
  switch (to) {
    case StoredDtype::kF32:
      return convert_all<From, float>;
    case StoredDtype::kBF16:
      return convert_all<From, Bf16>;
    case StoredDtype::kF16:
      return convert_all<From, F16>;
    case StoredDtype::kF64:
      return convert_all<From, double>;
    default:
      return nullptr;
  }
}

Converter find_converter(StoredDtype from, StoredDtype to) {
  switch (from) {
    case StoredDtype::kF32:
      return converter_from<float>(to);
    case StoredDtype::kBF16:
      return converter_from<Bf16>(to);
    case StoredDtype::kF16:
      return converter_from<F16>(to);
    case StoredDtype::kF64:
      return converter_from<double>(to);
    default:
      return nullptr;
  }
}

}  // namespace

uint64_t convert_elements(StoredDtype from, std::span<const std::byte> source, StoredDtype to,
                          std::span<std::byte> destination) {
  const Converter convert = find_converter(from, to);
  if (convert == nullptr) {
    throw unimplemented("cannot convert {} to {}: expected F32, BF16, F16 or F64", dtype_name(from), dtype_name(to));
  }
  const uint64_t count = source.size() / dtype_size_bytes(from);
  if (source.size() % dtype_size_bytes(from) != 0 || destination.size() != count * dtype_size_bytes(to)) {
    throw invalid_argument("cannot convert {} bytes of {} into {} bytes of {}: element counts differ", source.size(),
                           dtype_name(from), destination.size(), dtype_name(to));
  }
  if (from != to) return convert(source.data(), destination.data(), count);
  if (!source.empty()) std::memcpy(destination.data(), source.data(), source.size());
  return 0;
}

void read_elements(const TensorEntry& tensor, uint64_t begin, uint64_t end, StoredDtype to,
                   std::span<std::byte> destination) {
  if (begin > end || end > tensor.num_elements()) {
    throw invalid_argument("{}: tensor '{}': elements [{}, {}) of {} asked for", tensor.file.string(), tensor.name,
                           begin, end, tensor.num_elements());
  }
  if (find_converter(tensor.dtype, to) == nullptr) {
    throw invalid_argument("{}: tensor '{}' has dtype {}, expected F32, BF16, F16 or F64 to be read as {}",
                           tensor.file.string(), tensor.name, dtype_name(tensor.dtype), dtype_name(to));
  }
  const uint64_t size = dtype_size_bytes(tensor.dtype);
  const uint64_t overflowed =
      convert_elements(tensor.dtype, tensor.bytes.subspan(begin * size, (end - begin) * size), to, destination);
  if (overflowed > 0) {
    throw invalid_argument("{}: tensor '{}': {} elements of {} are too large for {}", tensor.file.string(), tensor.name,
                           overflowed, dtype_name(tensor.dtype), dtype_name(to));
  }
}

float f32_of_bf16(uint16_t bits) noexcept { return widen(Bf16{bits}); }
float f32_of_f16(uint16_t bits) noexcept { return widen(F16{bits}); }
uint16_t bf16_of_f32(float value) noexcept { return narrow_bf16(value).bits; }
uint16_t f16_of_f32(float value) noexcept { return narrow_f16(value).bits; }

}  // namespace ftrun
