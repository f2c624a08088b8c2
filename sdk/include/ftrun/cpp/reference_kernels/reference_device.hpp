// A complete minimal device: malloc, inline execution, primitive ops only, one device. Core's unit tests run on it, and
// a toy device can start from it. Leaves out: streams and events that do anything, a clock, fused ops, speed.
#ifndef FTRUN_CPP_REFERENCE_KERNELS_REFERENCE_DEVICE_HPP_
#define FTRUN_CPP_REFERENCE_KERNELS_REFERENCE_DEVICE_HPP_

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <new>

#include "ftrun/cpp/reference_kernels/table.hpp"

namespace ftrun::sdk {

/** What `open` returns. Tests may cast the handle and steer it; all members are guarded by `mutex`. */
struct ReferenceDevice {
  struct Allocation {
    uint64_t bytes;
    ftrun_memory_category category;
  };
  const ftrun_host* host = nullptr;
  std::mutex mutex;
  std::map<const char*, Allocation> allocations;
  ftrun_memory_stats stats{};
  uint64_t limit_bytes = ~uint64_t{0}; /**< allocations beyond it fail */
  int64_t fail_after = -1;             /**< >= 0: that many allocations still succeed, the next one fails */
  uint64_t executed = 0;               /**< ops run so far */

  ftrun_status fail(ftrun_status code, const std::string& message) const {
    return host && host->fail ? host->fail(host, code, ftrun_str{message.data(), message.size()}) : code;
  }
  static ReferenceDevice& of(void* device) { return *static_cast<ReferenceDevice*>(device); }

  /** Does [data, data + bytes) lie inside one allocation? */
  bool contains(const void* data, uint64_t bytes) {
    const char* address = static_cast<const char*>(data);
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin()) return false;
    const auto& [begin, allocation] = *std::prev(next);
    const uint64_t offset = static_cast<uint64_t>(address - begin);
    return offset <= allocation.bytes && bytes <= allocation.bytes - offset;
  }
};

namespace reference_device_detail {

inline ftrun_status count(const ftrun_host*, const ftrun_options*, int32_t* out) noexcept {
  *out = 1;
  return FTRUN_OK;
}

inline ftrun_status open(const ftrun_device_open_args* args, void** out) noexcept {
  *out = nullptr;
  if (args->ordinal != 0 || args->flags != 0) return FTRUN_INVALID_ARGUMENT;
  auto* device = new (std::nothrow) ReferenceDevice;
  if (!device) return FTRUN_RESOURCE_EXHAUSTED;
  device->host = args->host;
  *out = device;
  return FTRUN_OK;
}

inline void close(void* handle) noexcept {
  ReferenceDevice& device = ReferenceDevice::of(handle);
  for (const auto& entry : device.allocations) std::free(const_cast<char*>(entry.first));
  delete &device;
}

inline ftrun_status properties(void*, ftrun_device_properties* out) noexcept {
  const ftrun_head head = out->head;
  *out = ftrun_device_properties{};
  out->head = head;
  out->name = FTRUN_STR("reference");
  out->type = FTRUN_DEVICE_TYPE_CPU;
  out->total_bytes = ~uint64_t{0} >> 1;
  out->alignment_bytes = 64;
  out->isa = FTRUN_STR("scalar");
  return FTRUN_OK;
}

inline ftrun_status allocate(void* handle, void*, uint64_t bytes, ftrun_memory_category category, void** out) noexcept {
  ReferenceDevice& device = ReferenceDevice::of(handle);
  *out = nullptr;
  const std::lock_guard<std::mutex> lock(device.mutex);
  if (category < 0 || category >= FTRUN_MEMORY_CATEGORY_COUNT) {
    return device.fail(FTRUN_INVALID_ARGUMENT, "unknown memory category");
  }
  ftrun_memory_stats& stats = device.stats;
  const bool injected = device.fail_after == 0;
  if (device.fail_after >= 0) --device.fail_after;
  void* data = nullptr;
  if (!injected && bytes <= device.limit_bytes - std::min(device.limit_bytes, stats.allocated_bytes)) {
    data = std::aligned_alloc(64, (std::max<uint64_t>(bytes, 1) + 63) / 64 * 64);
  }
  if (!data) {
    return device.fail(FTRUN_RESOURCE_EXHAUSTED, "reference device: out of memory allocating " + std::to_string(bytes) +
                                                     " bytes with " + std::to_string(stats.allocated_bytes) + " live");
  }
  device.allocations[static_cast<const char*>(data)] = {bytes, category};
  stats.allocated_bytes += bytes;
  stats.peak_allocated_bytes = std::max(stats.peak_allocated_bytes, stats.allocated_bytes);
  stats.allocation_count += 1;
  stats.category_bytes[category] += bytes;
  stats.category_peak_bytes[category] = std::max(stats.category_peak_bytes[category], stats.category_bytes[category]);
  *out = data;
  return FTRUN_OK;
}

inline ftrun_status deallocate(void* handle, void*, void* data) noexcept {
  ReferenceDevice& device = ReferenceDevice::of(handle);
  const std::lock_guard<std::mutex> lock(device.mutex);
  const auto found = device.allocations.find(static_cast<const char*>(data));
  if (found == device.allocations.end()) return device.fail(FTRUN_INVALID_ARGUMENT, "not an allocation of this device");
  device.stats.allocated_bytes -= found->second.bytes;
  device.stats.category_bytes[found->second.category] -= found->second.bytes;
  device.stats.allocation_count -= 1;
  device.allocations.erase(found);
  std::free(data);
  return FTRUN_OK;
}

inline ftrun_status record_stream(void*, void*, void*) noexcept { return FTRUN_OK; }

inline ftrun_status copy(void* handle, void*, void* destination, const void* source, uint64_t bytes,
                         ftrun_copy_kind kind) noexcept {
  ReferenceDevice& device = ReferenceDevice::of(handle);
  const std::lock_guard<std::mutex> lock(device.mutex);
  if ((kind != FTRUN_COPY_DEVICE_TO_HOST && !device.contains(destination, bytes)) ||
      (kind != FTRUN_COPY_HOST_TO_DEVICE && !device.contains(source, bytes))) {
    return device.fail(FTRUN_INVALID_ARGUMENT, "copy of " + std::to_string(bytes) + " bytes outside an allocation");
  }
  if (bytes) std::memmove(destination, source, bytes);
  return FTRUN_OK;
}

// Everything runs inline, so streams and events are names for "already done".
inline ftrun_status create_handle(void* device, void** out) noexcept {
  *out = device;
  return FTRUN_OK;
}
inline void destroy_handle(void*, void*) noexcept {}
inline ftrun_status wait_handle(void*, void*) noexcept { return FTRUN_OK; }
inline ftrun_status pair_handle(void*, void*, void*) noexcept { return FTRUN_OK; }
inline ftrun_status event_query(void*, void*, int32_t* done) noexcept {
  *done = 1;
  return FTRUN_OK;
}

inline ftrun_status find_op(void*, ftrun_str name, ftrun_dtype dtype, uint64_t* op) noexcept {
  const std::size_t index = reference::find_op_index(std::string_view(name.data, name.size));
  if (index == reference::kOpCount || !reference::supports(reference::kOps[index], dtype)) return FTRUN_NOT_FOUND;
  *op = index;
  return FTRUN_OK;
}

inline ftrun_status execute(void* handle, void*, const ftrun_op_call* call) noexcept {
  ReferenceDevice& device = ReferenceDevice::of(handle);
  if (call->op >= reference::kOpCount) return device.fail(FTRUN_INVALID_ARGUMENT, "unknown op handle");
  const reference::Op& op = reference::kOps[call->op];
  try {
    op.run(*call);
    const std::lock_guard<std::mutex> lock(device.mutex);
    ++device.executed;
    return FTRUN_OK;
  } catch (const reference::KernelError& error) {
    return device.fail(error.code(), std::string(op.name) + ": " + error.what());
  } catch (...) {
    return FTRUN_INTERNAL;
  }
}

inline ftrun_status memory_stats(void* handle, ftrun_memory_stats* out) noexcept {
  ReferenceDevice& device = ReferenceDevice::of(handle);
  const std::lock_guard<std::mutex> lock(device.mutex);
  const ftrun_head head = out->head;
  *out = device.stats;
  out->head = head;
  out->total_bytes = device.limit_bytes;
  out->reserved_bytes = out->allocated_bytes;
  out->peak_reserved_bytes = out->peak_allocated_bytes;
  return FTRUN_OK;
}

inline ftrun_status reset_peak(void* handle) noexcept {
  ReferenceDevice& device = ReferenceDevice::of(handle);
  const std::lock_guard<std::mutex> lock(device.mutex);
  device.stats.peak_allocated_bytes = device.stats.allocated_bytes;
  std::copy(std::begin(device.stats.category_bytes), std::end(device.stats.category_bytes),
            std::begin(device.stats.category_peak_bytes));
  return FTRUN_OK;
}

inline ftrun_status collective_cost(void*, void*, ftrun_collective_kind, uint64_t, const int32_t*, int32_t) noexcept {
  return FTRUN_OK;
}
inline ftrun_status host_cost(void*, void*, uint64_t, double) noexcept { return FTRUN_OK; }
inline ftrun_status simulated_time(void*, void*, double*) noexcept { return FTRUN_UNIMPLEMENTED; }

}  // namespace reference_device_detail

/** The device table; static, usable without loading a plugin. Handles it opens are ReferenceDevice. [any-thread] */
inline const ftrun_device* reference_device_table() {
  namespace d = reference_device_detail;
  static const ftrun_device table = {
      {sizeof(ftrun_device), FTRUN_DEVICE_TAG},
      d::count,
      d::open,
      d::close,
      d::properties,
      d::allocate,
      d::deallocate,
      d::record_stream,
      d::copy,
      d::create_handle,   // stream_create
      d::destroy_handle,  // stream_destroy
      d::wait_handle,     // stream_synchronize
      d::create_handle,   // event_create
      d::destroy_handle,  // event_destroy
      d::pair_handle,     // event_record
      d::pair_handle,     // stream_wait_event
      d::wait_handle,     // event_synchronize
      d::event_query,
      d::find_op,
      d::execute,
      d::memory_stats,
      d::reset_peak,
      d::collective_cost,
      d::host_cost,
      d::simulated_time,
  };
  return &table;
}

}  // namespace ftrun::sdk

#endif  // FTRUN_CPP_REFERENCE_KERNELS_REFERENCE_DEVICE_HPP_
