// Opening and closing in the order in which devices depend on each other.
#include "core/train/opened_devices.h"

#include "core/base/error.h"
#include "core/model/abi_struct.h"

namespace ftrun {

OpenedDevice::OpenedDevice(const ChosenPlugin& chosen, const ftrun_host* host, int32_t ordinal)
    : plugin_(chosen.plugin) {
  const ftrun_device& table = plugin_->device();
  int32_t count = 0;
  check_plugin(table.count(host, chosen.options, &count), *plugin_, "count");
  if (ordinal >= count) {
    throw invalid_argument(
        "device '{}': there are more ranks than devices: rank {} of this machine needs a device of its own and {} {} "
        "visible: lower nproc, or make more visible",
        plugin_->id(), ordinal, count, count == 1 ? "is" : "are");
  }
  auto args = make_abi_struct<ftrun_device_open_args>(FTRUN_DEVICE_OPEN_TAG);
  args.host = host;
  args.options = chosen.options;
  args.ordinal = ordinal;
  check_plugin(table.open(&args, &instance_), *plugin_, "open");
  device_ = std::make_unique<Device>(table, instance_);
}

OpenedDevice::~OpenedDevice() {
  device_.reset();
  plugin_->device().close(instance_);
}

OpenedDevices::OpenedDevices(const OpenedPlugins& plugins, const HostServices& services, int32_t ordinal) {
  const auto open = [&](const ChosenPlugin& chosen, int32_t which) {
    return std::make_unique<OpenedDevice>(chosen, make_host_table("device/" + chosen.plugin->id(), services), which);
  };
  host_ = open(plugins.host_device, 0);
  if (plugins.device.plugin != plugins.host_device.plugin) accelerator_ = open(plugins.device, ordinal);
}

}  // namespace ftrun
