// The chips this device emulates and the list of visible ones.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ftrun::devices {

/// Figures and their sources: shared/reference/ascend.md section 1.1.
struct Soc {
  const char* name;  ///< value of the option `soc`
  const char* device_name;
  uint64_t
      usable_bytes;   ///< what a process can allocate: 60.97 GiB of 64, 29.50 GiB of 32, as out-of-memory texts show
  double bf16_flops;  ///< cube units only: AI cores x GHz x 8192; marketed figures add the vector units
  double f32_flops;   ///< published for some chips, sources disagree; 0 when none
  double bandwidth;   ///< bytes per second of HBM
};

/// The row of a chip; throws sdk::Error(INVALID_ARGUMENT) naming the choices.
const Soc& find_soc(std::string_view name);

/// NPUs of an Atlas 800T A2 server.
constexpr int32_t kDevicesPerServer = 8;

/// Physical ids that ASCEND_RT_VISIBLE_DEVICES selects among `physical` devices, as CANN reads it: comma-separated ids;
/// reading stops at the first character that is neither digit nor comma, at an empty element and at an id out of range;
/// ids that do not ascend strictly select nothing. nullptr (unset) selects all, "" nothing.
std::vector<int32_t> visible_devices(const char* value, int32_t physical);

}  // namespace ftrun::devices
