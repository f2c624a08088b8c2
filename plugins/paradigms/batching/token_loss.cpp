// The head's cross-entropy is summed by the host; here it is scaled.
#include "token_loss.h"

#include <memory>
#include <vector>

namespace ftrun::batching {

using sdk::check;
using sdk::Tensor;

void TokenLoss::declare(const ftrun_declaration& declaration) {
  auto role = sdk::make<ftrun_role_request>(FTRUN_ROLE_REQUEST_TAG);
  role.name = sdk::literal("policy");
  role.flags = FTRUN_ROLE_TRAINED;
  role.model_key = sdk::literal("model_name_or_path");
  check(declaration.add_role(&declaration, &role, &role_));
  check(declaration.add_denominator(&declaration, sdk::literal("tokens"), &tokens_));
}

void TokenLoss::next_update(const RowData& data, const ftrun_update_request& request, ftrun_update& out) const {
  auto batches = std::make_unique<std::vector<MicroBatch>>();
  const int32_t n_micro_batches = data.micro_batches(request);
  for (int32_t index = 0; index < n_micro_batches; ++index) {
    MicroBatch& batch = batches->emplace_back();
    for (const int64_t row : data.micro_batch(request, index)) batch.add(data.row(request.split, row));
    out.denominators[tokens_] += static_cast<double>(batch.n_targets);
    out.num_input_tokens += batch.n_tokens();
  }
  out.n_micro_batches = n_micro_batches;
  out.state = batches.release();
}

Tensor TokenLoss::loss(ftrun_context* ctx, const ftrun_update& update, int32_t micro_batch,
                       const double* denominators) const {
  const MicroBatch& batch = (*static_cast<std::vector<MicroBatch>*>(update.state))[static_cast<size_t>(micro_batch)];
  const ftrun_batch view = batch.view();
  ftrun_tensor* handle = nullptr;
  check(host_->context->forward(ctx, role_, &view, &handle));
  const Tensor hidden_TD(host_, handle);
  check(host_->context->head_cross_entropy_sum(ctx, role_, hidden_TD.get(), batch.labels.data(), nullptr,
                                               1.0 / denominators[tokens_], &handle));
  return {host_, handle};
}

void TokenLoss::release_update(ftrun_update& update) noexcept {
  delete static_cast<std::vector<MicroBatch>*>(update.state);
  update.state = nullptr;
}

}  // namespace ftrun::batching
