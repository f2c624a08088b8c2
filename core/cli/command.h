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
  std::string_view flags = {};    ///< of the program's flags, those that not every command takes; between spaces
  std::string_view details = {};  ///< more of its help, whole lines
  bool lists_keys = true;         ///< its help ends with the configuration keys; only with takes_config
};

std::span<const Command> commands();

/// Throws INVALID_ARGUMENT with the nearest name.
const Command& find_command(std::string_view name);

/// Refuses a flag of the program (without dashes) that `command` does not take, naming the command that does.
void require_taken(const Command& command, std::string_view flag);

int devices_command(const CommandContext& context);
int plugins_command(const CommandContext& context);
int tokenize_command(const CommandContext& context);
int version_command(const CommandContext& context);

}  // namespace ftrun
