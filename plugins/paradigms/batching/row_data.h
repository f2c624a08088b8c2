// The rows of a run as paradigms take them: opened data, the rows of a micro-batch, and what begin tells the loop.
// Leaves out: what is made of the rows (micro_batch.h, and the paradigms).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ftrun/cpp/paradigm.hpp"

namespace ftrun::batching {

/// Opened in a paradigm's begin; the host frees the data when the run ends. All [rank-thread]; failures throw
/// HostFailure.
class RowData {
 public:
  /// Takes the per-device batch sizes from the run's options.
  RowData(const ftrun_host* host, const sdk::Options& options);

  void open(ftrun_context* ctx, std::string_view format, ftrun_data_flags flags);
  ftrun_data* get() const noexcept { return data_; }

  ftrun_data_info info(ftrun_split split) const;
  ftrun_row row(ftrun_split split, int64_t index) const;
  int32_t micro_batches(const ftrun_update_request& request) const;
  /// Row indices of this rank's micro-batch; fillers are left out, so there may be none.
  std::vector<int64_t> micro_batch(const ftrun_update_request& request, int32_t index) const;

  /// Rows, updates, and as longest micro-batch the longest training rows together.
  void fill_plan(ftrun_paradigm_plan& out) const;

 private:
  int64_t longest_rows_tokens(int64_t n_rows, int64_t count) const;

  const ftrun_host* host_;
  int64_t train_batch_;
  int64_t eval_batch_;
  ftrun_data* data_ = nullptr;
};

/// Warns that a key which was given has no effect, and why.
void warn_of_idle_key(const ftrun_host* host, const sdk::Options& options, std::string_view key,
                      std::string_view reason);
/// Refuses dropout in adapters: losses that compare answers are of the model without noise, as in TRL and
/// LLaMA-Factory, which switch it off.
void refuse_dropout(const sdk::Options& options);
/// Refuses max_new_tokens in a stage that generates nothing.
void refuse_generation(const sdk::Options& options);
/// INVALID_ARGUMENT "FILE:LINE: KEY: reason".
sdk::Error refused_key(const sdk::Options& options, std::string_view key, std::string_view reason);

}  // namespace ftrun::batching
