// The subcommand that makes a model folder of its own out of a base and adapters.
// Leaves out: parsing the command line and printing errors (core/cli).
#pragma once

#include "core/config/command_context.h"

namespace ftrun {

/// Merges adapters into the model, converts its dtype, splits it into files, holds its logits against those of base and
/// adapter, and makes export_dir appear as a whole or not at all. Returns the exit code; throws Error. [control-thread]
int export_command(const CommandContext& context);

}  // namespace ftrun
