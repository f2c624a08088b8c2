// What every rank used: device memory by category, and bytes moved by each kind of collective per update.
// Leaves out: what the strategy announced (memory_estimate.h).
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/collectives/communicator.h"
#include "core/tensor/device.h"
#include "ftrun/kinds/strategy.h"

namespace ftrun {

struct RankUsage {
  std::array<uint64_t, 16> peak_bytes = {};       ///< of the device, by ftrun_memory_category
  std::array<uint64_t, 16> host_peak_bytes = {};  ///< of the host device where it is another one
  uint64_t peak_allocated_bytes = 0;
  std::array<CollectiveTraffic, 8> traffic = {};  ///< by ftrun_collective_kind, of one update
};

/// This rank's, traffic since the communicator's last reset_traffic.
RankUsage rank_usage(const Device& device, const Device& host_device, const Communicator& communicator);

/// Every rank's in rank order. Collective.
std::vector<RankUsage> all_rank_usages(Communicator& communicator, const RankUsage& mine);

/// What the strategy announced, in the same words: {"memory_bytes": ..., "host_memory_bytes": ...,
/// "traffic_per_update": ...}.
nlohmann::ordered_json schedule_json(const ftrun_schedule& schedule);

/// [{"rank": 0, "peak_memory_bytes": {"weights": ...}, "traffic_per_update": {"all_gather": {"calls": ..., "elements":
/// ..., "sent_bytes": ...}}}, ...]; what is zero is left out.
nlohmann::ordered_json usage_json(const std::vector<RankUsage>& usages);

/// One line per rank for the log, and one of what was announced where it was.
std::string usage_text(const std::vector<RankUsage>& usages, const std::optional<ftrun_schedule>& schedule);

}  // namespace ftrun
