// What a device has handed out: live allocations by address, statistics by category, bounds checks and the texts of
// out-of-memory messages. Leaves out: where memory comes from. [any-thread]: callers hold the device's lock.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ftrun/kinds/device.h"

namespace ftrun::devices {

/// "1.50 GiB", two decimals, bytes below 1 KiB.
std::string format_bytes(uint64_t bytes);
const char* category_name(ftrun_memory_category category);

class MemoryLedger {
 public:
  struct Allocation {
    uint64_t requested;  ///< what may be accessed
    uint64_t counted;    ///< what statistics say: rounded as the device rounds
    ftrun_memory_category category;
  };

  void add(const void* data, const Allocation& allocation);
  /// Throws sdk::Error(INVALID_ARGUMENT) when `data` is not a live allocation.
  Allocation remove(const void* data);
  /// Throws sdk::Error(INVALID_ARGUMENT) unless [data, data + bytes) lies inside one live allocation; `what` names the
  /// range.
  void require_inside(const void* data, uint64_t bytes, const std::string& what) const;
  /// As above for every byte a view can reach.
  void require_inside(const ftrun_view& view, const std::string& what) const;

  void set_reserved(uint64_t bytes);
  void reset_peak();
  /// Everything but head and total_bytes.
  const ftrun_memory_stats& stats() const { return stats_; }
  /// "weights 3.20 GiB, activations 1.00 GiB", largest first; "nothing" when empty.
  std::string live_text() const;
  /// One sentence: which setting reduces the largest category.
  std::string advice() const;

 private:
  std::map<const char*, Allocation> allocations_;
  ftrun_memory_stats stats_{};
};

/// Throws sdk::Error(INVALID_ARGUMENT) for a category that does not exist.
void require_category(ftrun_memory_category category);

}  // namespace ftrun::devices
