// A plugin's own gradient on the tape: tensor_api->custom_op.
#pragma once

#include "core/tensor/tensor.h"

namespace ftrun::ops {

/// Puts `backward` on ctx's tape between `inputs` and already computed `outputs`, whose handles get this history. Takes
/// `state`: destroy(state) runs when the node dies, or at once when nothing is recorded. `abi_context` is handed to
/// backward.
void record_custom_op(ExecutionContext& ctx, ftrun_context* abi_context, std::string_view name,
                      std::span<const Tensor> inputs, std::span<const Tensor> outputs, ftrun_custom_backward backward,
                      void* state, void (*destroy)(void* state));

}  // namespace ftrun::ops
