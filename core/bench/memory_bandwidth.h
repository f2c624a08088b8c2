// How fast this machine reads memory.
#pragma once

#include "core/tensor/execution_context.h"

namespace ftrun {

/// Bytes per second at which all threads of the pool together read half a GiB of the device's memory (so that it lies
/// on pages as weights do): the best of several passes. The device is host-accessible. [rank-thread]
double read_bandwidth(ExecutionContext& ctx);

}  // namespace ftrun
