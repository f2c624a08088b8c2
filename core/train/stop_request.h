// SIGINT, SIGTERM and SIGHUP as a request: the loop finishes its step, saves and ends with exit code 130.
#pragma once

namespace ftrun {

/// While alive, SIGINT, SIGTERM and SIGHUP set a flag instead of ending the process; a second SIGINT ends it at once.
class StopRequestScope {
 public:
  StopRequestScope();
  StopRequestScope(const StopRequestScope&) = delete;
  StopRequestScope& operator=(const StopRequestScope&) = delete;
  ~StopRequestScope();
};

/// True once a stop was asked for. [any-thread]
bool stop_requested() noexcept;

}  // namespace ftrun
