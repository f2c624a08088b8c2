// The ftrun_device table over a C++ class that runs everything inline: thunks, output structs, trivial streams and
// events. Leaves out: memory (the class's), queues and clocks.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "ftrun/cpp/plugin.hpp"
#include "plugins/devices/kernels/memory_ledger.h"
#include "plugins/devices/kernels/op_table.h"

namespace ftrun::devices {

/// Copies what caller and callee both know; a head without a size means this header's struct.
template <class Struct>
void fill_output(Struct* out, Struct value, uint32_t tag) {
  const uint32_t known = out->head.struct_size == 0 ? static_cast<uint32_t>(sizeof(Struct)) : out->head.struct_size;
  const uint32_t size = std::min<uint32_t>(known, sizeof(Struct));
  value.head = {size, tag};
  std::memcpy(static_cast<void*>(out), &value, size);
}

/// Throws for arguments of open that are malformed or ask for what does not exist yet.
inline void check_open_args(const ftrun_device_open_args& args, const char* name) {
  if (args.head.tag != FTRUN_DEVICE_OPEN_TAG || args.head.struct_size < sizeof(ftrun_device_open_args)) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, std::string(name) + ": open arguments have a wrong tag or size");
  }
  if (args.flags & FTRUN_DEVICE_SHAPES_ONLY) {
    throw sdk::Error(FTRUN_UNIMPLEMENTED,
                     std::string(name) + ": FTRUN_DEVICE_SHAPES_ONLY is not offered by this device");
  }
  if (args.flags != 0) throw sdk::Error(FTRUN_INVALID_ARGUMENT, std::string(name) + ": unknown flags in open");
}

/// Runs an op on host-addressable views; errors name the op.
inline void run_op(kernels::Context& ctx, const ftrun_op_call& call) {
  const kernels::Op& op = kernels::op_at(static_cast<int64_t>(call.op));
  try {
    op.run(ctx, call);
  } catch (const sdk::Error& error) {
    throw sdk::Error(error.code(), std::string(op.name) + ": " + error.what());
  }
}

inline void require_op(const ftrun_op_call& call) {
  if (call.op >= static_cast<uint64_t>(kernels::op_count())) {
    throw sdk::Error(FTRUN_INVALID_ARGUMENT, "the op handle is not from find_op");
  }
}

/// Throws unless every present view of the call lies inside a live allocation. Call with the device's lock.
inline void require_views_inside(const MemoryLedger& ledger, const ftrun_op_call& call) {
  const char* name = kernels::op_at(static_cast<int64_t>(call.op)).name;
  for (int32_t i = 0; i < call.n_inputs; ++i) {
    if (call.inputs[i].data) ledger.require_inside(call.inputs[i], std::string(name) + ": input " + std::to_string(i));
  }
  for (int32_t i = 0; i < call.n_outputs; ++i) {
    if (call.outputs[i].data)
      ledger.require_inside(call.outputs[i], std::string(name) + ": output " + std::to_string(i));
  }
}

/// A stream or event of an inline device: all work is done when the call that queued it returns.
struct InlineHandle {};

/// Device offers: static count(host, options) -> int32_t; Device(const ftrun_device_open_args&); host(); properties(),
/// allocate(stream, bytes, category), deallocate(data), copy(destination, source, bytes, kind), execute(call),
/// memory_stats(), reset_peak(). All may throw sdk::Error.
template <class Device>
struct DeviceTable {
  static Device& of(void* device) { return *static_cast<Device*>(device); }
  template <class Body>
  static ftrun_status guard(void* device, Body&& body) noexcept {
    return sdk::guarded(of(device).host(), std::forward<Body>(body));
  }

  static ftrun_status count(const ftrun_host* host, const ftrun_options* options, int32_t* out) noexcept {
    *out = 0;
    return sdk::guarded(host, [&] { *out = Device::count(host, options); });
  }
  static ftrun_status open(const ftrun_device_open_args* args, void** device) noexcept {
    *device = nullptr;
    return sdk::guarded(args->host, [&] { *device = new Device(*args); });
  }
  static void close(void* device) noexcept { delete &of(device); }
  static ftrun_status properties(void* device, ftrun_device_properties* out) noexcept {
    return guard(device, [&] { fill_output(out, of(device).properties(), FTRUN_DEVICE_PROPERTIES_TAG); });
  }
  static ftrun_status allocate(void* device, void* stream, uint64_t bytes, ftrun_memory_category category,
                               void** out) noexcept {
    *out = nullptr;
    return guard(device, [&] {
      require_category(category);
      *out = of(device).allocate(stream, bytes, category);
    });
  }
  static ftrun_status deallocate(void* device, void*, void* data) noexcept {
    return guard(device, [&] { of(device).deallocate(data); });
  }
  static ftrun_status record_stream(void*, void*, void*) noexcept { return FTRUN_OK; }
  static ftrun_status copy(void* device, void*, void* destination, const void* source, uint64_t bytes,
                           ftrun_copy_kind kind) noexcept {
    return guard(device, [&] {
      if (kind < FTRUN_COPY_HOST_TO_DEVICE || kind > FTRUN_COPY_DEVICE_TO_DEVICE) {
        throw sdk::Error(FTRUN_INVALID_ARGUMENT, "copy: unknown kind " + std::to_string(kind));
      }
      of(device).copy(destination, source, bytes, kind);
    });
  }
  static ftrun_status create_handle(void* device, void** out) noexcept {
    *out = nullptr;
    return guard(device, [&] { *out = new InlineHandle; });
  }
  static void destroy_handle(void*, void* handle) noexcept { delete static_cast<InlineHandle*>(handle); }
  static ftrun_status wait(void*, void*) noexcept { return FTRUN_OK; }
  static ftrun_status order(void*, void*, void*) noexcept { return FTRUN_OK; }
  static ftrun_status event_query(void*, void*, int32_t* done) noexcept {
    *done = 1;
    return FTRUN_OK;
  }
  static ftrun_status find_op(void*, ftrun_str name, ftrun_dtype dtype, uint64_t* op) noexcept {
    const int64_t index = kernels::find_op(sdk::view(name), dtype);
    if (index < 0) return FTRUN_NOT_FOUND;
    *op = static_cast<uint64_t>(index);
    return FTRUN_OK;
  }
  static ftrun_status execute(void* device, void*, const ftrun_op_call* call) noexcept {
    return guard(device, [&] {
      require_op(*call);
      of(device).execute(*call);
    });
  }
  static ftrun_status memory_stats(void* device, ftrun_memory_stats* out) noexcept {
    return guard(device, [&] { fill_output(out, of(device).memory_stats(), FTRUN_MEMORY_STATS_TAG); });
  }
  static ftrun_status reset_peak(void* device) noexcept {
    return guard(device, [&] { of(device).reset_peak(); });
  }
  /// No simulated clock: nothing to advance.
  static ftrun_status collective_cost(void*, void*, ftrun_collective_kind, uint64_t, const int32_t*, int32_t) noexcept {
    return FTRUN_OK;
  }
  static ftrun_status host_cost(void*, void*, uint64_t, double) noexcept { return FTRUN_OK; }
  static ftrun_status simulated_time(void* device, void*, double* seconds) noexcept {
    *seconds = 0.0;
    return guard(device, [] { throw sdk::Error(FTRUN_UNIMPLEMENTED, "this device has no simulated clock"); });
  }

  static constexpr ftrun_device kTable = {
      {sizeof(ftrun_device), FTRUN_DEVICE_TAG},
      count,
      open,
      close,
      properties,
      allocate,
      deallocate,
      record_stream,
      copy,
      create_handle,   // stream_create
      destroy_handle,  // stream_destroy
      wait,            // stream_synchronize
      create_handle,   // event_create
      destroy_handle,  // event_destroy
      order,           // event_record
      order,           // stream_wait_event
      wait,            // event_synchronize
      event_query,
      find_op,
      execute,
      memory_stats,
      reset_peak,
      collective_cost,
      host_cost,
      simulated_time,
  };
};

}  // namespace ftrun::devices
