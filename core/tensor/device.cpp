// Calls through the device table with statuses checked.
#include "core/tensor/device.h"

#include "core/base/error.h"
#include "core/base/failure_detail.h"

namespace ftrun {
namespace {

ftrun_str abi_string(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void check_status(ftrun_status status, std::string_view what) {
  if (status == FTRUN_OK) return;
  std::string detail = take_failure_detail();
  if (detail.empty()) detail = status_name(status);
  throw Error(status, what.empty() ? detail : fmt::format("{}: {}", what, detail));
}

Device::Device(const ftrun_device& table, void* instance, ftrun_device_flags flags)
    : table_(table), instance_(instance), flags_(flags) {
  properties_.head = {sizeof(properties_), FTRUN_DEVICE_PROPERTIES_TAG};
  check_status(table_.properties(instance_, &properties_), "device properties");
  name_.assign(properties_.name.data == nullptr ? "" : properties_.name.data, properties_.name.size);
}

void Device::check(ftrun_status status, std::string_view what) const {
  if (status == FTRUN_OK) return;
  check_status(status, fmt::format("{} on device '{}'", what, name_));
}

std::optional<OpHandle> Device::find_op(std::string_view name, ftrun_dtype dtype) {
  const auto found = handles_.find(std::pair<std::string_view, ftrun_dtype>(name, dtype));
  if (found != handles_.end()) return found->second;
  OpHandle handle = 0;
  const ftrun_status status = table_.find_op(instance_, abi_string(name), dtype, &handle);
  if (status != FTRUN_OK && status != FTRUN_NOT_FOUND) check(status, fmt::format("looking for op '{}'", name));
  take_failure_detail();
  const std::optional<OpHandle> result = status == FTRUN_OK ? std::optional(handle) : std::nullopt;
  handles_.emplace(std::pair(std::string(name), dtype), result);
  return result;
}

OpHandle Device::require_op(std::string_view name, ftrun_dtype dtype) {
  const std::optional<OpHandle> handle = find_op(name, dtype);
  if (!handle) {
    throw unimplemented("device '{}' has no op '{}' for dtype {:#x}, and it cannot be composed", name_, name, dtype);
  }
  return *handle;
}

void Device::execute(OpHandle op, std::string_view name, void* stream, std::span<const ftrun_view> inputs,
                     std::span<const ftrun_view> outputs, const void* attributes) {
  ftrun_op_call call = {};
  call.head = {sizeof(call), FTRUN_OP_CALL_TAG};
  call.op = op;
  call.n_inputs = static_cast<int32_t>(inputs.size());
  call.n_outputs = static_cast<int32_t>(outputs.size());
  call.inputs = inputs.data();
  call.outputs = outputs.data();
  call.attributes = attributes;
  const ftrun_status status = table_.execute(instance_, stream, &call);
  if (status != FTRUN_OK) check(status, fmt::format("op '{}'", name));
}

void* Device::allocate(void* stream, uint64_t bytes, ftrun_memory_category category) {
  void* address = nullptr;
  check_status(table_.allocate(instance_, stream, bytes, category, &address), {});
  return address;
}

void Device::deallocate(void* stream, void* address) noexcept { table_.deallocate(instance_, stream, address); }

void Device::record_stream(void* address, void* stream) {
  check(table_.record_stream(instance_, address, stream), "record_stream");
}

void Device::copy(void* stream, void* destination, const void* source, uint64_t bytes, ftrun_copy_kind kind) {
  check(table_.copy(instance_, stream, destination, source, bytes, kind), "copy");
}

void Device::synchronize(void* stream) { check_status(table_.stream_synchronize(instance_, stream), {}); }

ftrun_memory_stats Device::memory_stats() const {
  ftrun_memory_stats stats = {};
  stats.head = {sizeof(stats), FTRUN_MEMORY_STATS_TAG};
  check(table_.memory_stats(instance_, &stats), "memory statistics");
  return stats;
}

void Device::reset_peak() { check(table_.reset_peak(instance_), "reset_peak"); }

std::optional<double> Device::simulated_seconds(void* stream) const {
  double seconds = 0;
  if (table_.simulated_time(instance_, stream, &seconds) == FTRUN_OK) return seconds;
  take_failure_detail();
  return std::nullopt;
}

void Device::note_composed(std::string_view name) {
  if (!composed_ops_.contains(name)) composed_ops_.emplace(name);
}

}  // namespace ftrun
