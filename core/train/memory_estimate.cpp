// The table of the ZeRO paper (Rajbhandari et al. 2020, section 3) for one device and the dtypes in use.
#include "core/train/memory_estimate.h"

#include <fmt/format.h>

#include <array>

namespace ftrun {

StateBytes state_bytes(const NetworkModel& model, const Precision& precision, int64_t accumulation) {
  const auto elements = static_cast<uint64_t>(model.total_elements());
  const uint64_t compute = FTRUN_DTYPE_BYTES(precision.compute);
  StateBytes bytes;
  bytes.weights = elements * compute;
  bytes.gradients = elements * (accumulation > 1 ? 4 : compute);
  bytes.optimizer = elements * (8 + (precision.master_weights ? 4 : 0));
  return bytes;
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
