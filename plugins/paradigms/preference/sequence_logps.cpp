// One read of T numbers per walk; the way back is one upload of T numbers.
#include "sequence_logps.h"

#include <memory>
#include <utility>

namespace ftrun::preference {
namespace {

using sdk::check;
using sdk::Tensor;

/// Gradient of a host loss by its inputs, held until backward.
struct HostGradient {
  const ftrun_host* host;
  std::vector<float> values;

  static ftrun_status backward(void* state, ftrun_context* ctx, ftrun_tensor* const* output_gradients, int32_t,
                               ftrun_tensor** input_gradients, int32_t) noexcept {
    const auto& self = *static_cast<const HostGradient*>(state);
    return sdk::guarded(self.host, [&] {
      if (output_gradients[0] == nullptr) return;
      const int64_t count = static_cast<int64_t>(self.values.size());
      ftrun_tensor* handle = nullptr;
      check(self.host->tensor->from_host(ctx, FTRUN_F32, 1, &count, self.values.data(),
                                         self.values.size() * sizeof(float), &handle));
      const Tensor local(self.host, handle);
      ftrun_tensor* inputs[] = {local.get(), output_gradients[0]};
      check(self.host->tensor->op(ctx, sdk::str(FTRUN_OP_MUL), inputs, 2, nullptr, input_gradients, 1));
    });
  }
  static void destroy(void* state) { delete static_cast<HostGradient*>(state); }
};

}  // namespace

SequenceLogps sequence_logps(const ftrun_host* host, ftrun_context* ctx, int32_t role,
                             const batching::MicroBatch& batch) {
  const ftrun_batch view = batch.view();
  ftrun_tensor* handle = nullptr;
  check(host->context->forward(ctx, role, &view, &handle));
  const Tensor hidden_TD(host, handle);
  check(host->context->head_logprobs(ctx, role, hidden_TD.get(), batch.labels.data(), 1.0, &handle, nullptr));
  SequenceLogps result;
  result.logp_T = Tensor(host, handle);
  const std::vector<float> logp = sdk::TensorCalls(host, ctx).read<float>(result.logp_T);
  for (int32_t segment = 0; segment < batch.n_segments(); ++segment) {
    double sum = 0;
    int64_t tokens = 0;
    for (auto t = static_cast<size_t>(batch.segment_offsets[static_cast<size_t>(segment)]);
         t < static_cast<size_t>(batch.segment_offsets[static_cast<size_t>(segment) + 1]); ++t) {
      if (batch.labels[t] == batching::kNotATarget) continue;
      sum += static_cast<double>(logp[t]);
      ++tokens;
    }
    result.sums.push_back(sum);
    result.tokens.push_back(tokens);
  }
  return result;
}

Tensor host_loss(const ftrun_host* host, ftrun_context* ctx, const Tensor& values, double loss,
                 std::vector<float> gradient) {
  const int64_t one = 1;
  const auto value = static_cast<float>(loss);
  ftrun_tensor* handle = nullptr;
  check(host->tensor->from_host(ctx, FTRUN_F32, 1, &one, &value, sizeof(value), &handle));
  Tensor result(host, handle);
  if (gradient.empty()) return result;  // no tokens: a constant
  auto state = std::make_unique<HostGradient>(HostGradient{host, std::move(gradient)});
  ftrun_tensor* const inputs[] = {values.get()};
  ftrun_tensor* const outputs[] = {result.get()};
  check(host->tensor->custom_op(ctx, sdk::str("preference_loss"), inputs, 1, outputs, 1, HostGradient::backward,
                                state.release(), HostGradient::destroy));
  return result;
}

void spread_gradient(const batching::MicroBatch& batch, int32_t segment, double gradient, std::span<float> out) {
  for (auto t = static_cast<size_t>(batch.segment_offsets[static_cast<size_t>(segment)]);
       t < static_cast<size_t>(batch.segment_offsets[static_cast<size_t>(segment) + 1]); ++t) {
    if (batch.labels[t] != batching::kNotATarget) out[t] = static_cast<float>(gradient);
  }
}

}  // namespace ftrun::preference
