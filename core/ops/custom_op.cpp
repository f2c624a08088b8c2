// Keeps the plugin's state alive as long as its node.
#include "core/ops/custom_op.h"

#include <memory>
#include <string>

#include "core/autograd/tape.h"
#include "core/base/error.h"

namespace ftrun::ops {
namespace {

void run_plugin_backward(BackwardCall& call, ftrun_context* abi_context, const std::string& name,
                         ftrun_custom_backward backward, void* state) {
  std::vector<ftrun_tensor*> output_gradients;
  for (size_t i = 0; i < call.output_count(); ++i) output_gradients.push_back(call.gradient(i).get());
  std::vector<ftrun_tensor*> input_gradients(call.input_count(), nullptr);
  const ftrun_status status =
      backward(state, abi_context, output_gradients.data(), static_cast<int32_t>(output_gradients.size()),
               input_gradients.data(), static_cast<int32_t>(input_gradients.size()));
  std::vector<Tensor> owned;
  for (ftrun_tensor* gradient : input_gradients) owned.push_back(Tensor::adopt(gradient));
  check_status(status, fmt::format("backward of custom op '{}'", name));
  for (size_t i = 0; i < owned.size(); ++i) {
    if (owned[i] && call.needs(i)) call.contribute(i, owned[i]);
  }
}

}  // namespace

void record_custom_op(ExecutionContext& ctx, ftrun_context* abi_context, std::string_view name,
                      std::span<const Tensor> inputs, std::span<const Tensor> outputs, ftrun_custom_backward backward,
                      void* state, void (*destroy)(void* state)) {
  const std::shared_ptr<void> owned_state(state, [destroy](void* pointer) {
    if (destroy != nullptr && pointer != nullptr) destroy(pointer);
  });
  if (backward == nullptr) throw invalid_argument("custom op '{}': backward is missing", name);
  if (!should_record(ctx, inputs)) return;
  ctx.tape->record(name, inputs, outputs,
                   [abi_context, name = std::string(name), backward, owned_state](BackwardCall& call) {
                     run_plugin_backward(call, abi_context, name, backward, owned_state.get());
                   });
}

}  // namespace ftrun::ops
