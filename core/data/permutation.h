// A seeded permutation of 0..n-1 with random access and constant memory: a Feistel network with cycle walking.
// Leaves out: random numbers for training (ftrun's counter-based generators live with the ops).
#pragma once

#include <cstdint>

namespace ftrun {

/// Same values on every platform; any thread may use it.
class Permutation {
 public:
  /// `size` >= 1. `stream` separates uses of one seed: the epoch, or a constant of its own.
  Permutation(int64_t size, uint64_t seed, uint64_t stream);
  /// Image of `index`, both in [0, size).
  int64_t operator()(int64_t index) const noexcept;

 private:
  uint64_t size_;
  uint64_t half_mask_;
  uint32_t half_bits_;
  uint64_t key_;
};

}  // namespace ftrun
