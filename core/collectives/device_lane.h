// The streams of one device that collectives use, and events of that device as owning handles.
// Leaves out: what is queued on them (byte_mover.cpp, rank_sum.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "core/tensor/device.h"
#include "core/tensor/tensor.h"

namespace ftrun {

/// An event of a device; empty by default. [rank-thread] but record and make_wait.
class DeviceEvent {
 public:
  DeviceEvent() noexcept = default;
  explicit DeviceEvent(Device& device);
  DeviceEvent(DeviceEvent&& other) noexcept
      : device_(std::exchange(other.device_, nullptr)), event_(std::exchange(other.event_, nullptr)) {}
  DeviceEvent& operator=(DeviceEvent&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(event_, other.event_);
    return *this;
  }
  ~DeviceEvent();

  void record(void* stream) const;
  void make_wait(void* stream) const;

 private:
  Device* device_ = nullptr;
  void* event_ = nullptr;
};

/// Two streams. Copies and sums that carry a collective out run on `staging`, and the host waits for them there. The
/// collective's own cost passes on `timeline`, so that a simulated clock is charged for the links between devices and
/// not for the way through the host that an emulation takes.
class DeviceLane {
 public:
  explicit DeviceLane(Device& device);
  DeviceLane(const DeviceLane&) = delete;
  DeviceLane& operator=(const DeviceLane&) = delete;
  ~DeviceLane();

  Device& device() const noexcept { return device_; }
  void* staging() const noexcept { return staging_; }
  void* timeline() const noexcept { return timeline_; }
  bool host_accessible() const noexcept { return device_.host_accessible(); }
  void synchronize() const { device_.synchronize(staging_); }

 private:
  Device& device_;
  void* staging_ = nullptr;
  void* timeline_ = nullptr;
};

/// An address on a lane's device.
struct Place {
  DeviceLane* lane = nullptr;
  std::byte* address = nullptr;
  Place operator+(uint64_t bytes) const { return {lane, address + bytes}; }
};

/// Memory of a lane for collectives, allocated once on the rank thread.
class LaneBuffer {
 public:
  /// Makes the buffer hold `bytes`, unless it does already; only while no collective runs.
  void reserve(DeviceLane& lane, uint64_t bytes);
  Place place(DeviceLane& lane) const { return {&lane, static_cast<std::byte*>(storage_->address())}; }
  uint64_t bytes() const noexcept { return storage_ == nullptr ? 0 : storage_->bytes(); }

 private:
  std::unique_ptr<Storage> storage_;
};

/// Copies on the lanes' staging streams; queued, not waited for. Two devices that the host cannot reach are
/// UNIMPLEMENTED.
void copy_bytes(const Place& from, const Place& to, uint64_t bytes);

}  // namespace ftrun
