// Rounds of a keyed 64-bit mixer (the finaliser of SplitMix64) on the two halves of the smallest even bit width.
#include "core/data/permutation.h"

#include <bit>

namespace ftrun {
namespace {

constexpr int kRounds = 12;  // small domains need more than the usual four for an even spread

uint64_t mixed(uint64_t value) noexcept {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

}  // namespace

Permutation::Permutation(int64_t size, uint64_t seed, uint64_t stream)
    : size_(static_cast<uint64_t>(size)), key_(mixed(mixed(seed) ^ (stream * 0xD1342543DE82EF95ULL + 1))) {
  const auto bits = size_ <= 1 ? 0u : static_cast<uint32_t>(std::bit_width(size_ - 1));
  half_bits_ = (bits + 1) / 2;
  half_mask_ = (uint64_t{1} << half_bits_) - 1;
}

int64_t Permutation::operator()(int64_t index) const noexcept {
  if (size_ <= 1) return 0;
  auto value = static_cast<uint64_t>(index);
  do {  // at most 4 times the size, so few steps; a cycle always leads back into the range
    uint64_t left = value >> half_bits_;
    uint64_t right = value & half_mask_;
    for (uint64_t round = 0; round < kRounds; ++round) {
      const uint64_t next = left ^ (mixed(key_ ^ mixed(right * kRounds + round)) & half_mask_);
      left = right;
      right = next;
    }
    value = (left << half_bits_) | right;
  } while (value >= size_);
  return static_cast<int64_t>(value);
}

}  // namespace ftrun
