// A device plugin's instance as the host uses it: ops by name, memory, copies, streams, with statuses turned into
// Error. Leaves out: choosing and loading the plugin (core/plugin) and what an op means (core/ops).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "ftrun/kinds/device.h"

namespace ftrun {

/// A device's handle of an op, as execute takes it.
using OpHandle = uint64_t;

/// One opened device. Does not own the table or the instance: whoever opened it closes it after this object and every
/// tensor on it are gone. [rank-thread]: one object per rank and device; deallocate alone is [any-thread].
class Device {
 public:
  /// `table` is complete (NULL slots already filled with stubs) and outlives this object, as does `instance`.
  /// `flags` are those it was opened with.
  Device(const ftrun_device& table, void* instance, ftrun_device_flags flags = 0);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const ftrun_device& table() const noexcept { return table_; }
  void* instance() const noexcept { return instance_; }
  /// As a person knows it.
  const std::string& name() const noexcept { return name_; }
  const ftrun_device_properties& properties() const noexcept { return properties_; }
  /// True when nothing is stored or computed: values read from it are zeros.
  bool shapes_only() const noexcept { return (flags_ & FTRUN_DEVICE_SHAPES_ONLY) != 0; }
  /// True when the host may dereference this device's addresses.
  bool host_accessible() const noexcept { return properties_.type == FTRUN_DEVICE_TYPE_CPU; }

  /// The op's handle for operands of `dtype`, or nothing where the device lacks it. Asked once per name and dtype.
  std::optional<OpHandle> find_op(std::string_view name, ftrun_dtype dtype);
  /// find_op that throws UNIMPLEMENTED naming the op and the device.
  OpHandle require_op(std::string_view name, ftrun_dtype dtype);

  /// Queues the op on `stream`. `name` is for the error message. Errors carry the device's own detail.
  void execute(OpHandle op, std::string_view name, void* stream, std::span<const ftrun_view> inputs,
               std::span<const ftrun_view> outputs, const void* attributes);

  /// Throws RESOURCE_EXHAUSTED with the device's message when it does not fit.
  void* allocate(void* stream, uint64_t bytes, ftrun_memory_category category);
  /// Stream-ordered. Failures cannot be reported and are ignored.
  void deallocate(void* stream, void* address) noexcept;
  void record_stream(void* address, void* stream);
  /// Plain bytes, queued.
  void copy(void* stream, void* destination, const void* source, uint64_t bytes, ftrun_copy_kind kind);
  /// Waits and throws the first error of the queued work.
  void synchronize(void* stream);

  ftrun_memory_stats memory_stats() const;
  void reset_peak();
  /// Simulated seconds of `stream`, or nothing without a simulated clock.
  std::optional<double> simulated_seconds(void* stream) const;

  /// Fused ops that were composed from primitives because the device lacks them, in name order: the host logs each
  /// once.
  const std::set<std::string, std::less<>>& composed_ops() const noexcept { return composed_ops_; }
  void note_composed(std::string_view name);

  /// Throws Error(status, "WHAT: detail") unless `status` is OK.
  void check(ftrun_status status, std::string_view what) const;

 private:
  struct NameLess {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.first != b.first ? a.first < b.first : a.second < b.second;
    }
  };

  const ftrun_device& table_;
  void* instance_;
  ftrun_device_flags flags_;
  std::string name_;
  ftrun_device_properties properties_ = {};
  std::map<std::pair<std::string, ftrun_dtype>, std::optional<OpHandle>, NameLess> handles_;
  std::set<std::string, std::less<>> composed_ops_;
};

/// Throws Error(status, "WHAT: detail of this thread's last failure") unless `status` is OK.
void check_status(ftrun_status status, std::string_view what);

}  // namespace ftrun
