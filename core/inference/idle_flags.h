// Flags of `predict` and `chat` that would do nothing.
// Leaves out: keys of a file, which may be a training configuration as it is.
#pragma once

#include <string_view>

#include "core/config/resolve.h"

namespace ftrun {

/// Throws INVALID_ARGUMENT listing the command line's keys that `command` ("predict" or "chat") does not read, with
/// the nearest one that it does.
void refuse_idle_flags(const ResolvedConfig& config, std::string_view command);

}  // namespace ftrun
