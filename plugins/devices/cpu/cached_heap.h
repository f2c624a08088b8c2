// Aligned host memory with a cache of freed blocks: training asks for the same sizes every step, and fresh pages are
// slow. Leaves out: statistics by category (MemoryLedger).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ftrun::devices {

class CachedHeap {
 public:
  static constexpr uint64_t kAlignment = 64;

  /// At most `limit_bytes` in use and cached together; 0 means: what the machine had available when this was made.
  explicit CachedHeap(uint64_t limit_bytes);
  ~CachedHeap();
  CachedHeap(const CachedHeap&) = delete;
  CachedHeap& operator=(const CachedHeap&) = delete;

  /// Size class of a request: multiples of 64 below 4 KiB, then eight steps per power of two.
  static uint64_t rounded(uint64_t bytes);
  /// nullptr when it does not fit even after the cache was given back; `reason` then says what stood against it.
  void* take(uint64_t rounded_bytes, std::string* reason);
  void give(void* data, uint64_t rounded_bytes);
  /// Returns all cached blocks to the system.
  void trim();

  uint64_t limit_bytes() const { return limit_bytes_; }
  uint64_t reserved_bytes() const { return reserved_bytes_; }

 private:
  bool fits(uint64_t bytes, std::string* reason) const;

  uint64_t limit_bytes_;
  uint64_t reserved_bytes_ = 0;
  std::map<uint64_t, std::vector<void*>> cache_;
};

}  // namespace ftrun::devices
