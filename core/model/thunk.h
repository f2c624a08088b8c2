// From C++ to the C ABI: runs a body and turns what it throws into a status with its detail recorded.
#pragma once

#include <exception>
#include <new>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/model/rank.h"
#include "ftrun/status.h"

namespace ftrun {

/// For every call of a table: nothing throws across the ABI. [any-thread]
template <typename Body>
ftrun_status run_thunk(Body&& body) noexcept {
  try {
    body();
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
  } catch (...) {
    set_failure_detail("an exception that is not a std::exception");
    return FTRUN_INTERNAL;
  }
}

inline Rank& rank_of(ftrun_context* ctx) {
  if (ctx == nullptr || ctx->rank == nullptr) throw invalid_argument("the call needs a rank's context");
  return *ctx->rank;
}

/// A borrowed tensor argument. Throws INVALID_ARGUMENT naming the call when it is NULL.
inline Tensor borrowed(ftrun_tensor* handle, std::string_view call) {
  if (handle == nullptr) throw invalid_argument("{}: a tensor is NULL", call);
  return Tensor::share(handle);
}

}  // namespace ftrun
