// Arguments of the process, split into the subcommand, flags of the program and configuration keys.
// Leaves out: what the configuration keys mean (config/).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/logging.h"
#include "core/config/command_context.h"

namespace ftrun {

struct CommandLine {
  std::string command;  ///< empty: none was named
  CommandContext context;
  std::vector<std::string> command_flags;  ///< given flags that only some commands take, without dashes
  bool help = false;
  bool help_all = false;
  bool version = false;
  LogLevel log_level = LogLevel::kInfo;
};

/// Splits `arguments` (without the program's name). Configuration flags end up in context.override_arguments, words in
/// context.positional. The log level is --log_level's, $FTRUN_LOG's, or info (warning with --json). Throws
/// INVALID_ARGUMENT.
CommandLine parse_command_line(std::span<const std::string> arguments);

/// The program's own flags with one line each, for --help.
std::string program_flags_help();

}  // namespace ftrun
