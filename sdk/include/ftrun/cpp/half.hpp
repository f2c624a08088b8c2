// Conversions between float, double and the 16-bit types bf16 and f16: round to nearest even, NaN kept, subnormals
// kept. Leaves out: arithmetic (convert, compute in float, convert back). C++17, header-only.
#ifndef FTRUN_CPP_HALF_HPP_
#define FTRUN_CPP_HALF_HPP_

#include <cstdint>
#include <cstring>

namespace ftrun {

inline uint32_t float_bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

inline float float_from_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

inline float bf16_to_float(uint16_t value) { return float_from_bits(static_cast<uint32_t>(value) << 16); }

inline uint16_t bf16_from_float(float value) {
  const uint32_t bits = float_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/** A float from which a further rounding to fewer bits gives what one rounding of `value` gives (round to odd). */
inline float float_round_to_odd(double value) {
  const float nearest = static_cast<float>(value);
  const double back = static_cast<double>(nearest);
  if (!(back < value || back > value)) return nearest;
  const uint32_t bits = float_bits(nearest);
  if ((bits & 0x7fffffffu) == 0x7f800000u) return nearest;
  if (bits & 1u) return nearest;
  const bool away = value < 0 ? back < value : back > value;
  if ((bits & 0x7fffffffu) == 0) return float_from_bits(value < 0 ? 0x80000001u : 1u);
  return float_from_bits(away ? bits - 1u : bits + 1u);
}

inline uint16_t bf16_from_double(double value) { return bf16_from_float(float_round_to_odd(value)); }

inline float f16_to_float(uint16_t value) {
  const uint32_t sign = static_cast<uint32_t>(value & 0x8000u) << 16;
  const uint32_t exponent = (value >> 10) & 0x1fu;
  const uint32_t mantissa = value & 0x3ffu;
  if (exponent == 0x1fu) return float_from_bits(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return float_from_bits(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * float_from_bits(0x33800000u);  // 2^-24
  return float_from_bits(sign | float_bits(magnitude));
}

inline uint16_t f16_from_float(float value) {
  const uint32_t bits = float_bits(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Adding 0.5 aligns the binary point so that the float unit itself rounds to the subnormal grid of 2^-24.
    const uint32_t rounded = float_bits(float_from_bits(magnitude) + 0.5f) - 0x3f000000u;
    return static_cast<uint16_t>(sign | rounded);
  }
  const uint32_t rebased = magnitude - 0x38000000u;
  return static_cast<uint16_t>(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13));
}

inline uint16_t f16_from_double(double value) { return f16_from_float(float_round_to_odd(value)); }

}  // namespace ftrun

#endif  // FTRUN_CPP_HALF_HPP_
