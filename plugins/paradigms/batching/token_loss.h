// Token cross-entropy over the rows of an update, divided by the number of targets of all ranks.
// Leaves out: which tokens are targets (the rows' labels say).
// Source: transformers loss_utils.py (ForCausalLMLoss with num_items_in_batch) and trainer.py's token count over the
// accumulation window; here targets are counted after the shift.
#pragma once

#include "micro_batch.h"
#include "row_data.h"

namespace ftrun::batching {

/// Updates and loss of a paradigm whose one trained role "policy" predicts tokens. [rank-thread]
class TokenLoss {
 public:
  explicit TokenLoss(const ftrun_host* host) : host_(host) {}

  /// Role "policy" from model_name_or_path and denominator "tokens".
  void declare(const ftrun_declaration& declaration);
  int32_t role() const noexcept { return role_; }

  void next_update(const RowData& data, const ftrun_update_request& request, ftrun_update& out) const;
  sdk::Tensor loss(ftrun_context* ctx, const ftrun_update& update, int32_t micro_batch,
                   const double* denominators) const;
  static void release_update(ftrun_update& update) noexcept;

 private:
  const ftrun_host* host_;
  int32_t role_ = 0;
  int32_t tokens_ = 0;
};

}  // namespace ftrun::batching
