// `ftrun bench`.
#pragma once

#include "core/config/command_context.h"

namespace ftrun {

/// Measures the machine's matrix products, then training steps against them. [control-thread]
int bench_command(const CommandContext& context);

}  // namespace ftrun
