// Shift, positions and segments of one row at a time.
#include "micro_batch.h"

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::batching {

void MicroBatch::add_labels(int64_t row_begin, int64_t first_target, std::span<const int32_t> row_labels, int64_t end) {
  for (int64_t i = first_target; i < end; ++i) {
    const int32_t label = row_labels[static_cast<size_t>(i)];
    labels[static_cast<size_t>(row_begin + i - 1)] = label;
    if (label != kNotATarget) ++n_targets;
  }
}

void MicroBatch::add(const ftrun_row& row) {
  const int64_t row_begin = n_tokens();
  input_ids.insert(input_ids.end(), row.input_ids, row.input_ids + row.length);
  labels.resize(input_ids.size(), kNotATarget);
  const std::span row_labels(row.labels, static_cast<size_t>(row.length));
  int64_t begin = 0;
  for (int64_t document = 0; document < row.n_documents; ++document) {
    const int64_t end = begin + row.document_lengths[document];
    const int64_t first_position = row.continuous != 0 ? begin : 0;
    for (int64_t i = begin; i < end; ++i) position_ids.push_back(static_cast<int32_t>(i - begin + first_position));
    if (row.block_diagonal != 0) segment_offsets.push_back(static_cast<int32_t>(row_begin + end));
    add_labels(row_begin, begin + (row.block_diagonal != 0 || begin == 0 ? 1 : 0), row_labels, end);
    begin = end;
  }
  if (row.block_diagonal == 0) segment_offsets.push_back(static_cast<int32_t>(row_begin + row.length));
}

void MicroBatch::add_document(std::span<const int32_t> ids, std::span<const int32_t> document_labels) {
  const int64_t begin = n_tokens();
  const auto length = static_cast<int64_t>(ids.size());
  input_ids.insert(input_ids.end(), ids.begin(), ids.end());
  labels.resize(input_ids.size(), kNotATarget);
  for (int64_t i = 0; i < length; ++i) position_ids.push_back(static_cast<int32_t>(i));
  add_labels(begin, 1, document_labels, length);
  segment_offsets.push_back(static_cast<int32_t>(begin + length));
}

ftrun_batch MicroBatch::view() const {
  auto batch = sdk::make<ftrun_batch>(FTRUN_BATCH_TAG);
  batch.n_tokens = n_tokens();
  batch.input_ids = input_ids.data();
  batch.position_ids = position_ids.data();
  batch.n_segments = n_segments();
  batch.segment_offsets = segment_offsets.data();
  return batch;
}

}  // namespace ftrun::batching
