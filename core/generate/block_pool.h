// Which blocks of a KV cache are free.
// Leaves out: what is in them (kv_cache.h).
#pragma once

#include <cstdint>
#include <vector>

namespace ftrun {

/// Block numbers [0, count), handed out one by one; the lowest free ones first after construction, later the last one
/// given back first (it is the warmest). [rank-thread]
class BlockPool {
 public:
  explicit BlockPool(int32_t count);
  /// Throws INTERNAL when none is free: callers reserve before they take.
  int32_t take();
  void give_back(int32_t block);
  int32_t count() const noexcept { return count_; }
  int32_t free() const noexcept { return static_cast<int32_t>(free_.size()); }

 private:
  int32_t count_;
  std::vector<int32_t> free_;  // a stack
};

}  // namespace ftrun
