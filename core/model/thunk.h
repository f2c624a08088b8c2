// Arguments of the engine's ABI thunks: the rank behind a context, borrowed tensors. Errors: core/base/abi_guard.h.
#pragma once

#include "core/base/abi_guard.h"
#include "core/base/error.h"
#include "core/model/rank.h"

namespace ftrun {

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
