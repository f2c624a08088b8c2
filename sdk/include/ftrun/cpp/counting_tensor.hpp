// Tensors with sizes and no memory, and the ledger of what is held: half of the host that only counts.
// Leaves out: collectives and shards (counting_host.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "ftrun/cpp/plugin.hpp"
#include "ftrun/kinds/strategy.h"
#include "ftrun/tensor.h"

namespace ftrun::sdk {
inline namespace v1 {

/// Bytes held now and at most, by category and over all.
struct HeldBytes {
  std::array<uint64_t, FTRUN_SCHEDULE_CATEGORIES> now{};
  std::array<uint64_t, FTRUN_SCHEDULE_CATEGORIES> peak{};
  uint64_t total = 0;
  uint64_t total_peak = 0;

  void add(ftrun_memory_category category, uint64_t bytes) {
    const auto index = static_cast<size_t>(category);
    now.at(index) += bytes;
    total += bytes;
    peak[index] = std::max(peak[index], now[index]);
    total_peak = std::max(total_peak, total);
  }
  void subtract(ftrun_memory_category category, uint64_t bytes) noexcept {
    now[static_cast<size_t>(category)] -= bytes;
    total -= bytes;
  }
};

/// One allocation that takes no memory.
class CountedStorage {
 public:
  CountedStorage(HeldBytes& ledger, ftrun_memory_category category, uint64_t bytes)
      : ledger_(ledger), category_(category), bytes_(bytes) {
    ledger_.add(category_, bytes_);
  }
  CountedStorage(const CountedStorage&) = delete;
  CountedStorage& operator=(const CountedStorage&) = delete;
  ~CountedStorage() { ledger_.subtract(category_, bytes_); }

 private:
  HeldBytes& ledger_;
  ftrun_memory_category category_;
  uint64_t bytes_;
};

/// What an ftrun_tensor of a counting host is. Contiguous; counted by hand as the C ABI asks.
struct CountedTensor {
  int64_t references = 1;
  ftrun_dtype dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  std::shared_ptr<CountedStorage> storage;

  CountedTensor(ftrun_dtype of, std::vector<int64_t> sizes, std::shared_ptr<CountedStorage> memory)
      : dtype(of), shape(std::move(sizes)), strides(shape.size(), 1), storage(std::move(memory)) {
    for (size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  }
  int64_t elements() const noexcept {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    return count;
  }

  static CountedTensor& of(ftrun_tensor* handle) noexcept { return *reinterpret_cast<CountedTensor*>(handle); }
  ftrun_tensor* handle() noexcept { return reinterpret_cast<ftrun_tensor*>(this); }
  static void retain(ftrun_tensor* handle) noexcept { ++of(handle).references; }
  static void release(ftrun_tensor* handle) noexcept {
    if (handle != nullptr && --of(handle).references == 0) delete &of(handle);
  }
  static ftrun_status view(ftrun_tensor* handle, ftrun_view* out) noexcept {
    const CountedTensor& seen = of(handle);
    *out = {nullptr,           FTRUN_DEVICE_TYPE_CPU, 0, static_cast<int32_t>(seen.shape.size()), seen.dtype,
            seen.shape.data(), seen.strides.data(),   0};
    return FTRUN_OK;
  }
};

}  // namespace v1
}  // namespace ftrun::sdk
