// Does what the strategy announced fit the device, before anything is allocated? And memory as text.
// Leaves out: activations, which depend on the micro-batch; what was really used (rank_usage.h).
#pragma once

#include <cstdint>
#include <string>

#include "core/tensor/device.h"
#include "ftrun/kinds/strategy.h"

namespace ftrun {

/// Throws RESOURCE_EXHAUSTED naming every category when the schedule alone is more than the device, or the host device,
/// has. `ranks_per_machine` share the host device. `place` ("FILE:LINE: device: " or "") begins the message.
void require_memory_for(const ftrun_schedule& schedule, const Device& device, const Device& host_device,
                        int32_t ranks_per_machine, const std::string& place);

/// "1.50 GiB", "24.00 KiB", "12 bytes": the largest unit that leaves at least 1.
std::string memory_text(uint64_t bytes);

inline double in_gib(uint64_t bytes) noexcept { return static_cast<double>(bytes) / (1ULL << 30); }

}  // namespace ftrun
