// Texts of --help.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/cli/command.h"
#include "core/config/option_spec.h"

namespace ftrun {

/// Short: what ftrun is, its commands and flags. Needs no plugin.
std::string program_help();

/// Usage of one command, and the host's keys with defaults where it takes a configuration.
std::string command_help(const Command& command);

/// One block per option: key, what is expected, default, doc. `prefix` stands before in-map keys ("strategy.").
std::string options_help(const std::vector<OptionSpec>& options, std::string_view prefix);

}  // namespace ftrun
