// How much memory this machine, and the control group the process is in, can still give.
#pragma once

#include <cstdint>

namespace ftrun::devices {

/// Bytes that can be taken before the kernel would start killing: the smaller of MemAvailable and what the cgroup (v2
/// or v1) leaves. UINT64_MAX when the system does not say. Reads /proc and /sys. [any-thread]
uint64_t available_host_bytes();

/// Kept free of every budget, so that the process itself and others go on.
constexpr uint64_t kHostReserveBytes = uint64_t{256} << 20;

}  // namespace ftrun::devices
