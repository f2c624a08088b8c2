// Ranks that a launcher started with different settings or data are told before the first step.
#pragma once

#include "core/train/run.h"

namespace ftrun {

/// Compares version, settings and encoded data of all ranks. Throws FAILED_PRECONDITION naming the first key that
/// differs, both values and the rank. Settings that may differ between machines (threads, paths of plugins and caches)
/// are left out. Collective, after the data was opened.
void require_same_inputs(Run& run);

}  // namespace ftrun
