// Bookkeeping of allocations and the texts made from it.
#include "plugins/devices/kernels/memory_ledger.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <vector>

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::devices {
namespace {

struct CategoryText {
  const char* name;
  const char* advice;
};

// By ftrun_memory_category.
constexpr CategoryText kCategories[] = {
    {"other", "a smaller model or batch"},
    {"weights", "zero3 or fsdp on several ranks, offload_param: cpu, pure_bf16: true, or a larger device"},
    {"gradients",
     "zero2, zero3 or fsdp on several ranks, gradient_accumulation_steps: 1 with bf16, or a larger device"},
    {"optimizer", "zero1 to zero3 or fsdp on several ranks, offload_optimizer: cpu, or a larger device"},
    {"activations", "a lower per_device_train_batch_size or cutoff_len, and gradient checkpointing on"},
    {"workspace", "a lower per_device_train_batch_size or cutoff_len"},
    {"gather", "smaller gathered units"},
    {"communication", "smaller communication buckets"},
    {"kv_cache", "fewer or shorter sequences generated at once"},
};
static_assert(std::size(kCategories) == FTRUN_MEMORY_CATEGORY_COUNT, "one row per category");

}  // namespace

std::string format_bytes(uint64_t bytes) {
  const char* const units[] = {"bytes", "KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; unit < 3 && value >= 1024.0; ++unit) value /= 1024.0;
  char text[48];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.2f %s", value, units[unit]);
  return text;
}

const char* category_name(ftrun_memory_category category) { return kCategories[category].name; }

void require_category(ftrun_memory_category category) {
  if (category >= 0 && category < FTRUN_MEMORY_CATEGORY_COUNT) return;
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, "memory category " + std::to_string(category) + " does not exist");
}

void MemoryLedger::add(const void* data, const Allocation& allocation) {
  allocations_[static_cast<const char*>(data)] = allocation;
  const auto category = static_cast<size_t>(allocation.category);
  stats_.allocated_bytes += allocation.counted;
  stats_.peak_allocated_bytes = std::max(stats_.peak_allocated_bytes, stats_.allocated_bytes);
  stats_.allocation_count += 1;
  stats_.category_bytes[category] += allocation.counted;
  stats_.category_peak_bytes[category] =
      std::max(stats_.category_peak_bytes[category], stats_.category_bytes[category]);
}

MemoryLedger::Allocation MemoryLedger::remove(const void* data) {
  const auto found = allocations_.find(static_cast<const char*>(data));
  if (found == allocations_.end()) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "the address to free is not a live allocation of this device");
  }
  const Allocation allocation = found->second;
  allocations_.erase(found);
  stats_.allocated_bytes -= allocation.counted;
  stats_.allocation_count -= 1;
  stats_.category_bytes[static_cast<size_t>(allocation.category)] -= allocation.counted;
  return allocation;
}

void MemoryLedger::require_inside(const void* data, uint64_t bytes, const std::string& what) const {
  const char* address = static_cast<const char*>(data);
  auto next = allocations_.upper_bound(address);
  if (next == allocations_.begin()) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, what + ": the address is not memory of this device");
  }
  const auto& [begin, allocation] = *std::prev(next);
  const uint64_t offset = static_cast<uint64_t>(address - begin);
  if (offset <= allocation.requested && bytes <= allocation.requested - offset) return;
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, what + ": " + std::to_string(bytes) + " bytes at offset " +
                                               std::to_string(offset) + " of an allocation of " +
                                               std::to_string(allocation.requested) + " bytes");
}

void MemoryLedger::require_inside(const ftrun_view& view, const std::string& what) const {
  int64_t last = 0;
  for (int32_t axis = 0; axis < view.ndim; ++axis) {
    if (view.shape[axis] <= 0) {
      last = -1;
      break;
    }
    last += (view.shape[axis] - 1) * view.strides[axis];
  }
  const uint64_t bytes = static_cast<uint64_t>(last + 1) * FTRUN_DTYPE_BYTES(view.dtype);
  require_inside(static_cast<const char*>(view.data) + view.byte_offset, bytes, what);
}

void MemoryLedger::set_reserved(uint64_t bytes) {
  stats_.reserved_bytes = bytes;
  stats_.peak_reserved_bytes = std::max(stats_.peak_reserved_bytes, bytes);
}

void MemoryLedger::reset_peak() {
  stats_.peak_allocated_bytes = stats_.allocated_bytes;
  stats_.peak_reserved_bytes = stats_.reserved_bytes;
  std::copy(std::begin(stats_.category_bytes), std::end(stats_.category_bytes), std::begin(stats_.category_peak_bytes));
}

std::string MemoryLedger::live_text() const {
  std::vector<size_t> order;
  for (size_t i = 0; i < std::size(kCategories); ++i) {
    if (stats_.category_bytes[i] > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [this](size_t a, size_t b) { return stats_.category_bytes[a] > stats_.category_bytes[b]; });
  std::string text;
  for (const size_t i : order) {
    text +=
        (text.empty() ? "" : ", ") + std::string(kCategories[i].name) + " " + format_bytes(stats_.category_bytes[i]);
  }
  return text.empty() ? "nothing" : text;
}

std::string MemoryLedger::advice() const {
  size_t largest = 0;
  for (size_t i = 1; i < std::size(kCategories); ++i) {
    if (stats_.category_bytes[i] > stats_.category_bytes[largest]) largest = i;
  }
  return std::string("Most is ") + kCategories[largest].name + ": try " + kCategories[largest].advice + ".";
}

}  // namespace ftrun::devices
