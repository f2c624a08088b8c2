// Encoded rows to the flat micro-batch a model walks: no padding, labels shifted to their predicting position.
#pragma once

#include <cstdint>
#include <vector>

#include "ftrun/context.h"
#include "ftrun/data.h"

namespace ftrun::supervised {

/// T tokens of all rows back to back. labels[t] is the id that position t predicts, or -100.
struct MicroBatch {
  std::vector<int32_t> input_ids;
  std::vector<int32_t> position_ids;
  std::vector<int32_t> labels;
  std::vector<int32_t> segment_offsets = {0};
  int64_t n_targets = 0;

  /// Adds a row. Positions restart at each document. A block-diagonal row's documents are separate segments and a
  /// document's first token is never a target; otherwise the row is one segment and labels are shifted across it.
  void add(const ftrun_row& row);

  /// Borrowed view for the host.
  ftrun_batch view() const;
};

}  // namespace ftrun::supervised
