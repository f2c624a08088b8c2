// Encoded rows to the flat micro-batch a model walks: no padding, labels shifted to their predicting position.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ftrun/context.h"
#include "ftrun/data.h"

namespace ftrun::batching {

inline constexpr int32_t kNotATarget = -100;

/// T tokens of all rows back to back. labels[t] is the id that position t predicts, or kNotATarget.
struct MicroBatch {
  std::vector<int32_t> input_ids;
  std::vector<int32_t> position_ids;
  std::vector<int32_t> labels;
  std::vector<int32_t> segment_offsets = {0};
  int64_t n_targets = 0;

  int64_t n_tokens() const noexcept { return static_cast<int64_t>(input_ids.size()); }
  int32_t n_segments() const noexcept { return static_cast<int32_t>(segment_offsets.size()) - 1; }

  /// Adds a row. Positions restart at each document unless the row is continuous. A block-diagonal row's documents are
  /// separate segments and a document's first token is never a target; otherwise the row is one segment and labels are
  /// shifted across it.
  void add(const ftrun_row& row);
  /// Adds one document as a segment of its own; labels as in a row, not shifted.
  void add_document(std::span<const int32_t> ids, std::span<const int32_t> labels);

  /// Borrowed view for the host.
  ftrun_batch view() const;

 private:
  void add_labels(int64_t row_begin, int64_t first_target, std::span<const int32_t> row_labels, int64_t end);
};

}  // namespace ftrun::batching
