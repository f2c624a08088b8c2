// How fast this machine reads memory.
#pragma once

namespace ftrun {

/// Bytes per second at which all threads of the pool together read a buffer that no cache holds: the best of several
/// passes. [control-thread]
double read_bandwidth();

}  // namespace ftrun
