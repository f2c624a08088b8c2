// Budget, and which arena a block goes to.
#include "plugins/devices/cpu/host_heap.h"

#include <unistd.h>

#include <algorithm>

#include "plugins/devices/kernels/host_memory.h"
#include "plugins/devices/kernels/memory_ledger.h"

namespace ftrun::devices {
namespace {

/// Asking the system costs more than a small allocation can hurt.
constexpr uint64_t kAskSystemBytes = uint64_t{1} << 20;
/// Addresses per byte of budget: given-back holes that nothing fits into use up addresses only.
constexpr uint64_t kAddressesPerByte = 4;

#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kGapBytes = 64;  // so that running past a block meets forbidden memory
#else
constexpr uint64_t kGapBytes = 0;
#endif

uint64_t default_limit() {
  const uint64_t available = available_host_bytes();
  return available > 2 * kHostReserveBytes ? available - kHostReserveBytes : available / 2;
}

uint64_t address_bytes(uint64_t limit_bytes) {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const uint64_t physical = pages > 0 ? static_cast<uint64_t>(pages) * HostHeap::kAlignment : uint64_t{1} << 40;
  return std::min(limit_bytes, physical) * kAddressesPerByte + PageArena::kChunkBytes;
}

uint64_t round_up(uint64_t bytes, uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

HostHeap::HostHeap(uint64_t limit_bytes)
    : limit_bytes_(limit_bytes != 0 ? limit_bytes : default_limit()),
      state_(address_bytes(limit_bytes_)),
      step_(address_bytes(limit_bytes_)) {}

uint64_t HostHeap::rounded(uint64_t bytes) {
  if (bytes > (uint64_t{1} << 62)) return bytes;
  return round_up(std::max<uint64_t>(bytes + kGapBytes, 1), kAlignment);
}

uint64_t HostHeap::reserved_bytes() const { return state_.backed_bytes() + step_.backed_bytes(); }

bool HostHeap::affords(uint64_t new_bytes, std::string* reason) const {
  if (new_bytes == 0) return true;
  const uint64_t whole_chunks = std::max(limit_bytes_, round_up(limit_bytes_, PageArena::kChunkBytes));
  const uint64_t reserved = reserved_bytes();
  if (reserved > whole_chunks || new_bytes > whole_chunks - reserved) {
    *reason = "the limit is " + format_bytes(limit_bytes_) + " (host_memory_limit)";
    return false;
  }
  if (new_bytes < kAskSystemBytes) return true;
  const uint64_t available = available_host_bytes();
  if (new_bytes <= available && available - new_bytes >= kHostReserveBytes) return true;
  *reason = "the machine has only " + format_bytes(available) + " available, " + format_bytes(kHostReserveBytes) +
            " of which are kept free";
  return false;
}

void* HostHeap::take(uint64_t bytes, HeapUse use, std::string* reason) {
  const uint64_t size = rounded(bytes);
  if (size > limit_bytes_) {
    *reason = "the limit is " + format_bytes(limit_bytes_) + " (host_memory_limit)";
    return nullptr;
  }
  PageArena& arena = use == HeapUse::kStep ? step_ : state_;
  PageArena::Place place = arena.find(size);
  if (!affords(place.new_bytes, reason)) {
    trim();
    place = arena.find(size);
    if (!affords(place.new_bytes, reason)) return nullptr;
  }
  void* data = arena.take(place, size, bytes, use != HeapUse::kState);
  if (data == nullptr) *reason = "the system refused";
  return data;
}

void HostHeap::give(void* data) { (step_.owns(data) ? step_ : state_).give(data); }

void HostHeap::trim() {
  step_.trim();
  state_.trim();
}

}  // namespace ftrun::devices
