// `ftrun version`.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/cli/command.h"
#include "ftrun/abi.h"

namespace ftrun {

int version_command(const CommandContext& context) {
  const std::string abi = fmt::format("{}.{}", FTRUN_ABI_MAJOR, FTRUN_ABI_MINOR);
  if (context.json) {
    fmt::print("{}\n", nlohmann::json{{"version", FTRUN_VERSION}, {"abi", abi}}.dump());
  } else {
    fmt::print("ftrun {} (plugin ABI {})\n", FTRUN_VERSION, abi);
  }
  return 0;
}

}  // namespace ftrun
