// Size classes, the cache and the budget of host memory.
#include "plugins/devices/cpu/cached_heap.h"

#include <cstdlib>

#include "plugins/devices/kernels/host_memory.h"
#include "plugins/devices/kernels/memory_ledger.h"

namespace ftrun::devices {
namespace {

/// Asking the system costs more than a small allocation can hurt.
constexpr uint64_t kAskSystemBytes = uint64_t{1} << 20;

uint64_t default_limit() {
  const uint64_t available = available_host_bytes();
  return available > 2 * kHostReserveBytes ? available - kHostReserveBytes : available / 2;
}

}  // namespace

CachedHeap::CachedHeap(uint64_t limit_bytes) : limit_bytes_(limit_bytes != 0 ? limit_bytes : default_limit()) {}

CachedHeap::~CachedHeap() { trim(); }

uint64_t CachedHeap::rounded(uint64_t bytes) {
  if (bytes <= 4096) return bytes == 0 ? kAlignment : (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (bytes > (uint64_t{1} << 62)) return bytes;
  uint64_t step = 512;
  while (step * 16 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

bool CachedHeap::fits(uint64_t bytes, std::string* reason) const {
  if (bytes > limit_bytes_ || reserved_bytes_ > limit_bytes_ - bytes) {
    *reason = "the limit is " + format_bytes(limit_bytes_) + " (host_memory_limit)";
    return false;
  }
  if (bytes < kAskSystemBytes) return true;
  const uint64_t available = available_host_bytes();
  if (bytes <= available && available - bytes >= kHostReserveBytes) return true;
  *reason = "the machine has only " + format_bytes(available) + " available, " + format_bytes(kHostReserveBytes) +
            " of which are kept free";
  return false;
}

void* CachedHeap::take(uint64_t rounded_bytes, std::string* reason) {
  auto found = cache_.find(rounded_bytes);
  if (found != cache_.end() && !found->second.empty()) {
    void* data = found->second.back();
    found->second.pop_back();
    return data;
  }
  if (!fits(rounded_bytes, reason)) {
    trim();
    if (!fits(rounded_bytes, reason)) return nullptr;
  }
  void* data = std::aligned_alloc(kAlignment, rounded_bytes);
  if (data == nullptr) {
    *reason = "the system refused";
    return nullptr;
  }
  reserved_bytes_ += rounded_bytes;
  return data;
}

void CachedHeap::give(void* data, uint64_t rounded_bytes) { cache_[rounded_bytes].push_back(data); }

void CachedHeap::trim() {
  for (auto& [bytes, blocks] : cache_) {
    for (void* data : blocks) {
      std::free(data);
      reserved_bytes_ -= bytes;
    }
    blocks.clear();
  }
}

}  // namespace ftrun::devices
