// parallel_for for bodies that throw.
// Leaves out: the pool (thread_pool.h).
#pragma once

#include <cstdint>
#include <functional>

namespace ftrun {

/// Runs body(0) .. body(count - 1) on the pool; all of them run, then the first exception (by index) leaves.
/// [any-thread]
void run_parallel(int64_t count, const std::function<void(int64_t)>& body);

}  // namespace ftrun
