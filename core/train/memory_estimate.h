// Bytes of weights, gradients and optimizer state of a model on one device, before anything is allocated.
// Leaves out: activations, which depend on the micro-batch (measured, not estimated, here).
#pragma once

#include <cstdint>
#include <string>

#include "core/model/network_model.h"
#include "core/model/rank.h"

namespace ftrun {

struct StateBytes {
  uint64_t weights = 0;
  uint64_t gradients = 0;
  uint64_t optimizer = 0;  ///< master weights and two moments
  uint64_t total() const noexcept { return weights + gradients + optimizer; }
};

/// All parameters trained, one rank. bf16 with master weights: 16 bytes per parameter, 18 with accumulation; fp32: 16.
StateBytes state_bytes(const NetworkModel& model, const Precision& precision, int64_t accumulation);

/// "1.50 GiB", "24.00 KiB", "12 bytes": the largest unit that leaves at least 1.
std::string memory_text(uint64_t bytes);

inline double in_gib(uint64_t bytes) noexcept { return static_cast<double>(bytes) / (1ULL << 30); }

}  // namespace ftrun
