// Shift, positions and segments of one row at a time.
#include "collate.h"

#include "ftrun/cpp/plugin.hpp"

namespace ftrun::supervised {
namespace {

constexpr int32_t kNotATarget = -100;

}  // namespace

void MicroBatch::add(const ftrun_row& row) {
  const int64_t row_begin = static_cast<int64_t>(input_ids.size());
  input_ids.insert(input_ids.end(), row.input_ids, row.input_ids + row.length);
  labels.resize(input_ids.size(), kNotATarget);
  int64_t begin = 0;
  for (int64_t document = 0; document < row.n_documents; ++document) {
    const int64_t end = begin + row.document_lengths[document];
    for (int64_t i = begin; i < end; ++i) position_ids.push_back(static_cast<int32_t>(i - begin));
    if (row.block_diagonal != 0) segment_offsets.push_back(static_cast<int32_t>(row_begin + end));
    const int64_t first_target = begin + (row.block_diagonal != 0 || begin == 0 ? 1 : 0);
    for (int64_t i = first_target; i < end; ++i) {
      labels[row_begin + i - 1] = row.labels[i];
      if (row.labels[i] != kNotATarget) ++n_targets;
    }
    begin = end;
  }
  if (row.block_diagonal == 0) segment_offsets.push_back(static_cast<int32_t>(row_begin + row.length));
}

ftrun_batch MicroBatch::view() const {
  auto batch = sdk::make<ftrun_batch>(FTRUN_BATCH_TAG);
  batch.n_tokens = static_cast<int64_t>(input_ids.size());
  batch.input_ids = input_ids.data();
  batch.position_ids = position_ids.data();
  batch.n_segments = static_cast<int32_t>(segment_offsets.size()) - 1;
  batch.segment_offsets = segment_offsets.data();
  return batch;
}

}  // namespace ftrun::supervised
