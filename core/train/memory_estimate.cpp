// The announced peak against the device's capacity.
#include "core/train/memory_estimate.h"

#include <fmt/format.h>

#include <array>

#include "core/base/error.h"

namespace ftrun {
namespace {

constexpr std::array kCounted = {
    std::pair(FTRUN_MEMORY_WEIGHTS, "weights"), std::pair(FTRUN_MEMORY_GRADIENTS, "gradients"),
    std::pair(FTRUN_MEMORY_OPTIMIZER, "optimizer"), std::pair(FTRUN_MEMORY_GATHER, "gathered weights"),
    std::pair(FTRUN_MEMORY_COMMUNICATION, "communication")};

std::string parts_text(const uint64_t* bytes) {
  std::string text;
  for (const auto& [category, name] : kCounted) {
    if (bytes[category] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : " + ", name, memory_text(bytes[category]));
  }
  return text;
}

}  // namespace

void require_memory_for(const ftrun_schedule& schedule, const Device& device, const Device& host_device,
                        int32_t ranks_per_machine, const std::string& place) {
  const bool shared = &device == &host_device;
  const auto ranks = static_cast<uint64_t>(ranks_per_machine);
  const uint64_t on_device =
      shared ? (schedule.device_peak_bytes + schedule.host_peak_bytes) * ranks : schedule.device_peak_bytes;
  const std::string each = ranks > 1 ? fmt::format(" on each of {} ranks", ranks) : std::string();
  if (on_device > device.properties().total_bytes) {
    throw resource_exhausted(
        "{}device '{}' has {}: {}{} = {} are needed before any activation: use a larger device, more ranks with a "
        "strategy that shards more, or offload; pure_bf16: true takes less than half",
        place, device.name(), memory_text(device.properties().total_bytes), parts_text(schedule.device_bytes), each,
        memory_text(on_device));
  }
  const uint64_t on_host = shared ? 0 : schedule.host_peak_bytes * ranks;
  if (on_host > host_device.properties().total_bytes) {
    throw resource_exhausted("the host has {}: offloaded {}{} = {} are needed: offload less, or use more machines",
                             memory_text(host_device.properties().total_bytes), parts_text(schedule.host_bytes), each,
                             memory_text(on_host));
  }
}

std::string memory_text(uint64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.2f} {}", value, kUnits[unit]);
}

}  // namespace ftrun
