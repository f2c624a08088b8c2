// A row's prompt with another row's answer: what the divergence from the reference model is estimated on.
// Source: LLaMA-Factory 0.9.5 FeedbackDatasetProcessor, which takes the row before in batches of 1,000 rows; here the
// row before of the whole split (the last before the first), so that it does not depend on batches.
#pragma once

#include "batching/micro_batch.h"
#include "batching/row_data.h"

namespace ftrun::labelled {

/// Lengths (prompt, answer) inside `budget` tokens. Source: LLaMA-Factory 0.9.5 infer_seqlen.
std::pair<int64_t, int64_t> lengths_within(int64_t prompt, int64_t answer, int64_t budget);

/// Adds the sequence of `row` as one segment. Its targets are the other row's answer, cut to cutoff_len with the
/// prompt.
void add_mismatched(const batching::RowData& data, ftrun_split split, int64_t row, int64_t n_rows, int64_t cutoff_len,
                    batching::MicroBatch& batch);

}  // namespace ftrun::labelled
