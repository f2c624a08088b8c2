// The clock of the goldens whose templates show the date. Leaves out: the goldens themselves.
#pragma once

#include <ctime>
#include <nlohmann/json.hpp>

namespace ftrun::testing {

/// [year, month, day, hour] as golden files have it under "now".
inline std::tm golden_time(const nlohmann::ordered_json& numbers) {
  std::tm time{};
  time.tm_year = numbers[0].get<int>() - 1900;
  time.tm_mon = numbers[1].get<int>() - 1;
  time.tm_mday = numbers[2].get<int>();
  time.tm_hour = numbers[3].get<int>();
  time.tm_isdst = -1;
  return time;
}

}  // namespace ftrun::testing
