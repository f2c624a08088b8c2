// The rows that training holds out of its own data (val_size), so that predict can answer them.
// Leaves out: reading them as prompts (predict_rows.h).
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "core/train/run_setup.h"

namespace ftrun {

/// Whether predict answers such rows: val_size of `dataset`, where no eval_dataset is given.
bool holds_out_rows(const ResolvedConfig& config);

class HeldOutRows {
 public:
  /// `run` has val_size and no eval_dataset. The split is that of a training run with the same data keys: it depends on
  /// which rows are kept, so on the template, cutoff_len and the stage's own keys, and on seed. Encodes the data, or
  /// opens what training left in the cache. Throws INVALID_ARGUMENT for a stage that learns from other rows than
  /// single answers, and what preparing data fails with. [control-thread]
  explicit HeldOutRows(const RunSetup& run);

  bool contains(const std::string& file, int64_t byte_offset) const { return places_.contains({file, byte_offset}); }

 private:
  std::set<std::pair<std::string, int64_t>> places_;
};

}  // namespace ftrun
