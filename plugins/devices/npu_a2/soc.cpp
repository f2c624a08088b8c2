// Table of chips; parsing of the visible-devices list.
#include "plugins/devices/npu_a2/soc.h"

#include <string>

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::devices {
namespace {

constexpr uint64_t gib_hundredths(uint64_t value) { return value * (uint64_t{1} << 30) / 100; }

constexpr Soc kSocs[] = {
    {"910B1", "Ascend 910B1", gib_hundredths(6097), 363.7e12, 99.5e12, 1.6e12},
    {"910B2", "Ascend 910B2", gib_hundredths(6097), 353.9e12, 99.5e12, 1.6e12},
    {"910B3", "Ascend 910B3", gib_hundredths(6097), 294.9e12, 83.0e12, 1.6e12},
    {"910B4", "Ascend 910B4", gib_hundredths(2950), 245.8e12, 75.0e12, 0.8e12},
};

}  // namespace

const Soc& find_soc(std::string_view name) {
  for (const Soc& soc : kSocs) {
    if (name == soc.name) return soc;
  }
  throw sdk::Error(FTRUN_INVALID_ARGUMENT, "soc '" + std::string(name) + "': expected 910B1, 910B2, 910B3 or 910B4");
}

std::vector<int32_t> visible_devices(const char* value, int32_t physical) {
  std::vector<int32_t> ids;
  if (value == nullptr) {
    for (int32_t id = 0; id < physical; ++id) ids.push_back(id);
    return ids;
  }
  const char* at = value;
  while (*at >= '0' && *at <= '9') {
    int64_t id = 0;
    for (; *at >= '0' && *at <= '9'; ++at) id = id > physical ? id : id * 10 + (*at - '0');
    if (id >= physical) break;
    if (!ids.empty() && id <= ids.back()) return {};
    ids.push_back(static_cast<int32_t>(id));
    if (*at != ',') break;
    ++at;
  }
  return ids;
}

}  // namespace ftrun::devices
