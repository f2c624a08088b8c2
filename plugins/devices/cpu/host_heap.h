// Host memory for tensors under one budget. What stays and what a step allocates and frees have arenas of their own, so
// that neither lies between the other. Leaves out: statistics by category (MemoryLedger).
#pragma once

#include <cstdint>
#include <string>

#include "plugins/devices/cpu/page_arena.h"

namespace ftrun::devices {

/// What a block is for.
enum class HeapUse {
  kState,    ///< stays for the run and is written in full when made: weights, optimizer
  kScratch,  ///< stays; how much of it is used varies: resident at once
  kStep,     ///< comes and goes within a step: resident at once, and kept for the next step
};

/// One thread at a time.
class HostHeap {
 public:
  /// Of every block: a page.
  static constexpr uint64_t kAlignment = 4096;

  /// At most `limit_bytes` in use and kept together; 0 means: what the machine had available when this was made.
  explicit HostHeap(uint64_t limit_bytes);

  /// What a request takes. Pages for small ones too: were they apart, a short step's blocks would be small where the
  /// longest step's were large, and would not fit into what that one left.
  static uint64_t rounded(uint64_t bytes);
  /// nullptr when it does not fit even after free pages were given back; `reason` then says what stood against it.
  void* take(uint64_t bytes, HeapUse use, std::string* reason);
  /// `data` is from take.
  void give(void* data);
  /// Returns the pages of free blocks to the system.
  void trim();

  uint64_t limit_bytes() const { return limit_bytes_; }
  /// Pages taken from the system, in use or kept.
  uint64_t reserved_bytes() const;

 private:
  bool affords(uint64_t new_bytes, std::string* reason) const;

  uint64_t limit_bytes_;
  PageArena state_;
  PageArena step_;
};

}  // namespace ftrun::devices
