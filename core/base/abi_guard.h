// Exceptions of the host become statuses at the C ABI: the one place where the two meet.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "core/base/error.h"
#include "core/base/failure_detail.h"

namespace ftrun {

/// Runs `body` for a thunk of a table given to plugins. The message of what it throws becomes the failure detail of
/// this thread. [any-thread]
template <typename Body>
ftrun_status guard_abi(Body&& body) noexcept {
  try {
    try {
      std::forward<Body>(body)();
      return FTRUN_OK;
    } catch (const Error& error) {
      set_failure_detail(error.what());
      return error.code();
    } catch (const std::bad_alloc&) {
      set_failure_detail("out of host memory");
      return FTRUN_RESOURCE_EXHAUSTED;
    } catch (const std::exception& error) {
      set_failure_detail(error.what());
      return FTRUN_INTERNAL;
    }
  } catch (...) {
    return FTRUN_INTERNAL;
  }
}

}  // namespace ftrun
