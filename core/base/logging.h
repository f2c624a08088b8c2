// The log: one line per event on stderr, as people know it from the Hugging Face trainer.
// Leaves out: progress bars (train/progress.h).
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace ftrun {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

/// Sets the least level that is written; kInfo before the first call. Colour only when stderr is a terminal and
/// NO_COLOR is not set. [any-thread]
void set_log_level(LogLevel level);
/// "debug", "info", "warning", "error", "off"; INVALID_ARGUMENT with the nearest name otherwise.
LogLevel parse_log_level(std::string_view name);
/// Raises the least level for what the calling thread writes; kDebug, the default, leaves it to set_log_level. Of the
/// ranks of a run one speaks for all.
void set_thread_log_level(LogLevel level) noexcept;
/// For the calling thread. [any-thread]
bool log_enabled(LogLevel level) noexcept;

/// Called before each line is written, for example to clear a progress bar; NULL: nothing. [control-thread]
void set_log_line_hook(void (*hook)());

/// Writes "[INFO|2026-01-31 12:00:00] message". Line breaks in the message start new lines of the same level.
/// [any-thread]
void log_line(LogLevel level, std::string_view message);

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kDebug)) log_line(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kInfo)) log_line(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kWarning)) log_line(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kError)) log_line(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace ftrun
