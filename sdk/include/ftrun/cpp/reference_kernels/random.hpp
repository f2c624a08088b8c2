// Counter-based random numbers: Philox4x32-10 and the normal and uniform numbers made from it.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_RANDOM_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_RANDOM_HPP_

#include <array>

#include "ftrun/cpp/reference_kernels/operands.hpp"

namespace ftrun::reference {

/** Ten rounds of Philox4x32. */
inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = 0xD2511F53ull * counter[0];
    const uint64_t product1 = 0xCD9E8D57ull * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/** Two uniforms of 53 bits in [0, 1) that elements 2p and 2p + 1 of a stream share:
 * (w0..w3) = philox4x32({lo(p), hi(p), lo(stream), hi(stream)}, {lo(seed), hi(seed)}),
 * first = ((w0 << 32 | w1) >> 11) * 2^-53, second = ((w2 << 32 | w3) >> 11) * 2^-53. */
inline std::array<double, 2> uniform_pair(uint64_t seed, uint64_t stream, uint64_t pair) {
  const auto low = [](uint64_t value) { return static_cast<uint32_t>(value); };
  const auto high = [](uint64_t value) { return static_cast<uint32_t>(value >> 32); };
  const auto w = philox4x32({low(pair), high(pair), low(stream), high(stream)}, {low(seed), high(seed)});
  const auto unit = [](uint32_t a, uint32_t b) {
    return static_cast<double>((static_cast<uint64_t>(a) << 32 | b) >> 11) * 0x1p-53;
  };
  return {unit(w[0], w[1]), unit(w[2], w[3])};
}

/** Element `index` of a stream, uniform in [0, 1): number index % 2 of pair index / 2. */
inline double uniform_at(uint64_t seed, uint64_t stream, uint64_t index) {
  return uniform_pair(seed, stream, index / 2)[index % 2];
}

/** Elements 2p and 2p + 1 of a stream, standard normal, by Box-Muller: with (u, v) = uniform_pair,
 * r = sqrt(-2 ln(1 - u)); element 2p is r cos(2 pi v), element 2p + 1 is r sin(2 pi v). */
inline std::array<double, 2> normal_pair(uint64_t seed, uint64_t stream, uint64_t pair) {
  const auto [u, v] = uniform_pair(seed, stream, pair);
  const double radius = std::sqrt(-2.0 * std::log1p(-u));
  const double angle = 6.283185307179586476925 * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/** Stores low + (high - low) * u so that rounding never reaches `high`. */
inline void store_uniform(char* data, ftrun_dtype dtype, int64_t index, double low, double high, double u) {
  store_double(data, dtype, index, low + (high - low) * u);
  if (!(load_double(data, dtype, index) >= high) || !(high > low)) return;
  if (dtype == FTRUN_F32) {
    float value = static_cast<float>(high);
    if (static_cast<double>(value) >= high) value = std::nextafter(value, static_cast<float>(low));
    reinterpret_cast<float*>(data)[index] = value;
    return;
  }
  uint16_t bits = bf16_from_double(high);
  while (static_cast<double>(bf16_to_float(bits)) >= high) {
    bits = static_cast<uint16_t>(bits == 0 ? 0x8001u : (bits & 0x8000u ? bits + 1u : bits - 1u));
  }
  reinterpret_cast<uint16_t*>(data)[index] = bits;
}

/** Writes elements [begin, end) of a random op's output; kernels that split the work call it per part. */
inline void fill_random(const ftrun_view& y, const ftrun_random_attributes& attributes, bool normal, int64_t begin,
                        int64_t end) {
  for (int64_t i = begin; i < end;) {
    const uint64_t index = attributes.offset + static_cast<uint64_t>(i);
    const auto numbers = normal ? normal_pair(attributes.seed, attributes.stream, index / 2)
                                : uniform_pair(attributes.seed, attributes.stream, index / 2);
    for (uint64_t half = index % 2; half < 2 && i < end; ++half, ++i) {
      if (normal) {
        store_double(bytes_of(y), y.dtype, i, attributes.a + attributes.b * numbers[half]);
      } else {
        store_uniform(bytes_of(y), y.dtype, i, attributes.a, attributes.b, numbers[half]);
      }
    }
  }
}

inline void require_random(const ftrun_op_call& call) {
  require_arity(call, 0, 0, 1);
  require_float(call.outputs[0], "y");
  require_contiguous(call.outputs[0], "y");
}

inline void op_random_normal(const ftrun_op_call& call) {
  require_random(call);
  const auto& attributes = attributes_of<ftrun_random_attributes>(call);
  fill_random(call.outputs[0], attributes, true, 0, element_count(call.outputs[0]));
}

inline void op_random_uniform(const ftrun_op_call& call) {
  require_random(call);
  const auto& attributes = attributes_of<ftrun_random_attributes>(call);
  fill_random(call.outputs[0], attributes, false, 0, element_count(call.outputs[0]));
}

}  // namespace ftrun::reference

#endif  // FTRUN_CPP_REFERENCE_KERNELS_RANDOM_HPP_
