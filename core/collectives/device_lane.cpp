// Streams and events through the device table.
#include "core/collectives/device_lane.h"

#include "core/base/error.h"

namespace ftrun {

DeviceEvent::DeviceEvent(Device& device) : device_(&device) {
  device.check(device.table().event_create(device.instance(), &event_), "event_create");
}

DeviceEvent::~DeviceEvent() {
  if (device_ != nullptr) device_->table().event_destroy(device_->instance(), event_);
}

void DeviceEvent::record(void* stream) const {
  device_->check(device_->table().event_record(device_->instance(), event_, stream), "event_record");
}

void DeviceEvent::make_wait(void* stream) const {
  device_->check(device_->table().stream_wait_event(device_->instance(), stream, event_), "stream_wait_event");
}

DeviceLane::DeviceLane(Device& device) : device_(device) {
  const ftrun_device& table = device.table();
  device.check(table.stream_create(device.instance(), &staging_), "stream_create");
  const ftrun_status status = table.stream_create(device.instance(), &timeline_);
  if (status != FTRUN_OK) table.stream_destroy(device.instance(), staging_);
  device.check(status, "stream_create");
}

DeviceLane::~DeviceLane() {
  device_.table().stream_destroy(device_.instance(), staging_);
  device_.table().stream_destroy(device_.instance(), timeline_);
}

void LaneBuffer::reserve(DeviceLane& lane, uint64_t bytes) {
  if (bytes <= this->bytes()) return;
  storage_.reset();
  storage_ = std::make_unique<Storage>(lane.device(), lane.staging(), bytes, FTRUN_MEMORY_COMMUNICATION);
}

void copy_bytes(const Place& from, const Place& to, uint64_t bytes) {
  if (bytes == 0 || from.address == to.address) return;
  Device& source = from.lane->device();
  Device& target = to.lane->device();
  if (&source == &target) {
    source.copy(from.lane->staging(), to.address, from.address, bytes, FTRUN_COPY_DEVICE_TO_DEVICE);
  } else if (from.lane->host_accessible()) {
    from.lane->synchronize();
    target.copy(to.lane->staging(), to.address, from.address, bytes, FTRUN_COPY_HOST_TO_DEVICE);
  } else if (to.lane->host_accessible()) {
    to.lane->synchronize();
    source.copy(from.lane->staging(), to.address, from.address, bytes, FTRUN_COPY_DEVICE_TO_HOST);
  } else {
    throw unimplemented("copying from device '{}' to device '{}': the host can reach neither", source.name(),
                        target.name());
  }
}

}  // namespace ftrun
