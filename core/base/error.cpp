// Names and exit codes of status values.
#include "core/base/error.h"

namespace ftrun {

int exit_code_of(ftrun_status code) noexcept {
  switch (code) {
    case FTRUN_OK:
      return 0;
    case FTRUN_CANCELLED:
      return 130;
    case FTRUN_INVALID_ARGUMENT:
    case FTRUN_NOT_FOUND:
    case FTRUN_ALREADY_EXISTS:
    case FTRUN_PERMISSION_DENIED:
    case FTRUN_RESOURCE_EXHAUSTED:
    case FTRUN_FAILED_PRECONDITION:
    case FTRUN_OUT_OF_RANGE:
    case FTRUN_UNIMPLEMENTED:
      return 2;
    default:
      return 1;
  }
}

const char* status_name(ftrun_status code) noexcept {
  static constexpr const char* kNames[] = {
      "ok",        "cancelled",      "unknown",           "invalid_argument",   "deadline_exceeded",
      "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
      "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
      "data_loss"};
  return code >= 0 && code < static_cast<ftrun_status>(sizeof(kNames) / sizeof(kNames[0])) ? kNames[code] : "unknown";
}

}  // namespace ftrun
