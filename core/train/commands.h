// The subcommands that work on a configuration: train, check, data.
// Leaves out: parsing the command line and printing errors (core/cli).
#pragma once

#include "core/config/command_context.h"

namespace ftrun {

/// Trains. With context.json one JSON object of results goes to stdout. Returns the exit code; throws Error.
/// [control-thread]
int train_command(const CommandContext& context);

/// Validates and composes (plugins, model, memory, data) without running; prints the resolved run and where each value
/// came from.
int check_command(const CommandContext& context);

/// Prints the data ledger and the first rows as the model will see them.
int data_command(const CommandContext& context);

}  // namespace ftrun
