// The table of subcommands.
#pragma once

#include <span>
#include <string_view>

#include "core/config/command_context.h"

namespace ftrun {

struct Command {
  std::string_view name;
  std::string_view usage;    ///< after "ftrun "
  std::string_view summary;  ///< one line
  bool takes_config;         ///< --config and configuration keys
  int (*run)(const CommandContext& context);
};

std::span<const Command> commands();

/// Throws INVALID_ARGUMENT with the nearest name.
const Command& find_command(std::string_view name);

int devices_command(const CommandContext& context);
int plugins_command(const CommandContext& context);
int tokenize_command(const CommandContext& context);
int version_command(const CommandContext& context);

}  // namespace ftrun
