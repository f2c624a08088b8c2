// A row's prompt with another row's answer: what the divergence from the reference model is estimated on.
// Source: LLaMA-Factory 0.9.5 FeedbackDatasetProcessor, which takes the row before in batches of 1,000 rows; here it is
// taken from the whole split, so that it does not depend on batches, and never answers the same prompt where there is
// another: answers of one prompt often lie side by side, and matched ones make the divergence several times too large.
// A departure from TRL, which rotates answers within each batch of the data, whatever their prompts.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "batching/micro_batch.h"
#include "batching/row_data.h"

namespace ftrun::labelled {

/// Lengths (prompt, answer) inside `budget` tokens. Source: LLaMA-Factory 0.9.5 infer_seqlen.
std::pair<int64_t, int64_t> lengths_within(int64_t prompt, int64_t answer, int64_t budget);

/// For rows in a ring, of which same_as_before[i] is 1 where row i's prompt is that of the row before (the last one's
/// for row 0): by row the nearest earlier row with another prompt; the row before where all prompts are one.
std::vector<int64_t> nearest_other_prompts(std::span<const uint8_t> same_as_before);

/// By row of the split, the row whose answer it gets. Prompts are the same where their token ids are. Every row is
/// compared with the one before it only, so that time is linear whatever the prompts.
std::vector<int64_t> mismatched_rows(const batching::RowData& data, ftrun_split split, int64_t n_rows);

/// Adds the prompt of `row` with the answer of `other` as one segment. Its targets are that answer, cut to cutoff_len
/// with the prompt.
void add_mismatched(const batching::RowData& data, ftrun_split split, int64_t row, int64_t other, int64_t cutoff_len,
                    batching::MicroBatch& batch);

}  // namespace ftrun::labelled
