// The devices of one rank, opened from the chosen plugins.
// Leaves out: what is placed on them.
#pragma once

#include <cstdint>
#include <memory>

#include "core/plugin/host_table.h"
#include "core/plugin/open_plugins.h"
#include "core/tensor/device.h"

namespace ftrun {

/// An opened device plugin. Closes it when destroyed.
class OpenedDevice {
 public:
  OpenedDevice(const ChosenPlugin& chosen, const ftrun_host* host, int32_t ordinal);
  OpenedDevice(const OpenedDevice&) = delete;
  OpenedDevice& operator=(const OpenedDevice&) = delete;
  ~OpenedDevice();
  Device& device() noexcept { return *device_; }

 private:
  const Plugin* plugin_;
  void* instance_ = nullptr;
  std::unique_ptr<Device> device_;
};

/// The rank's device and the host's own beside it; one and the same when that was chosen. Every rank of a machine has
/// an accelerator of its own, `ordinal`; the host device is the one machine they share.
class OpenedDevices {
 public:
  explicit OpenedDevices(const OpenedPlugins& plugins, const HostServices& services, int32_t ordinal = 0);
  Device& device() noexcept { return accelerator_ ? accelerator_->device() : host_->device(); }
  Device& host_device() noexcept { return host_->device(); }

 private:
  std::unique_ptr<OpenedDevice> host_;
  std::unique_ptr<OpenedDevice> accelerator_;  // NULL when the device is the host device itself
};

}  // namespace ftrun
