// Errors inside the host: one exception type that carries an ABI status code, and its makers.
// Leaves out: the C side (plugin/host_fail.cpp turns these into status values and back).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "ftrun/status.h"

namespace ftrun {

/// A failure with a status code of the C ABI and a complete message for the person who reads it.
/// The message names what was wrong, where (file:line, key) and what was expected.
class Error : public std::runtime_error {
 public:
  Error(ftrun_status code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ftrun_status code() const noexcept { return code_; }

 private:
  ftrun_status code_;
};

/// Process exit code of a status: 2 when the user's input or machine does not fit the request, 1 for
/// failures while running, 130 for CANCELLED (interrupted after saving).
int exit_code_of(ftrun_status code) noexcept;

/// Lower-case name of a status code, for example "invalid_argument".
const char* status_name(ftrun_status code) noexcept;

template <typename... Args>
Error invalid_argument(fmt::format_string<Args...> format, Args&&... args) {
  return {FTRUN_INVALID_ARGUMENT, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Error not_found(fmt::format_string<Args...> format, Args&&... args) {
  return {FTRUN_NOT_FOUND, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Error failed_precondition(fmt::format_string<Args...> format, Args&&... args) {
  return {FTRUN_FAILED_PRECONDITION, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Error resource_exhausted(fmt::format_string<Args...> format, Args&&... args) {
  return {FTRUN_RESOURCE_EXHAUSTED, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Error unimplemented(fmt::format_string<Args...> format, Args&&... args) {
  return {FTRUN_UNIMPLEMENTED, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args>
Error internal_error(fmt::format_string<Args...> format, Args&&... args) {
  return {FTRUN_INTERNAL, fmt::format(format, std::forward<Args>(args)...)};
}
/// The operating system refused something while running (disk full, read error): exit code 1.
template <typename... Args>
Error io_error(fmt::format_string<Args...> format, Args&&... args) {
  return {FTRUN_DATA_LOSS, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace ftrun
