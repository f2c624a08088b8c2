// The message of the last failure on this thread: what host->fail records and what a status check picks up.
// Leaves out: the status value itself, which the call returns.
#pragma once

#include <string>
#include <string_view>

namespace ftrun {

/// Remembers `message` as the detail of the failure that this thread is about to report. Never throws: without memory
/// the detail is dropped. [any-thread]
void set_failure_detail(std::string_view message) noexcept;

/// The detail recorded on this thread since the last take, and forgets it; "" when there is none. [any-thread]
std::string take_failure_detail();

}  // namespace ftrun
