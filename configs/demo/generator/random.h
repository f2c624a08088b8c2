// SplitMix64 and a shuffle on it: the same numbers on every machine and library, unlike std::shuffle.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace ftrun::demo {

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  /// 0 <= result < bound; the bias of the remainder is below 2^-32 for the bounds used here.
  size_t below(size_t bound) { return static_cast<size_t>(next() % bound); }

  template <typename T>
  void shuffle(std::vector<T>& items) {
    for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  uint64_t state_;
};

}  // namespace ftrun::demo
