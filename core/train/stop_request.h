// Signals as a request: the loop finishes its step, saves and ends with exit code 130.
#pragma once

namespace ftrun {

/// Who started this process decides what SIGINT and SIGTERM can mean.
enum class StopSignals {
  kOwn,       ///< SIGINT, SIGTERM, SIGHUP and SIGUSR1 ask for a stop; a second SIGINT ends the process at once
  kLaunched,  ///< SIGUSR1 asks for a stop; after SIGINT and SIGTERM a launcher kills soon, so they ask to end at once
};

/// While alive, signals set flags instead of ending the process, but for those that it was started with ignored
/// (nohup).
class StopRequestScope {
 public:
  explicit StopRequestScope(StopSignals signals = StopSignals::kOwn);
  StopRequestScope(const StopRequestScope&) = delete;
  StopRequestScope& operator=(const StopRequestScope&) = delete;
  ~StopRequestScope();
};

/// True once a stop was asked for. [any-thread]
bool stop_requested() noexcept;

/// The signal that asked to end at once, 0: none. [any-thread]
int end_requested() noexcept;

}  // namespace ftrun
