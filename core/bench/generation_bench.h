// Times generation by a model with random weights against what the machine's memory and matrix products allow.
// Leaves out: training steps (training_bench.h).
#pragma once

#include "core/config/command_context.h"

namespace ftrun {

/// True when --generate is among the flags.
bool asks_for_generation(const CommandContext& context);

/// `ftrun bench --generate`: prefill of one prompt, decoding one sequence, decoding a batch. Returns the exit code.
/// [control-thread]
int generation_bench(const CommandContext& context);

}  // namespace ftrun
