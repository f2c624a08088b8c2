// An answer is what follows the first target of a row.
#include "mismatched_rows.h"

#include <algorithm>
#include <vector>

namespace ftrun::labelled {
namespace {

int64_t prompt_length(const ftrun_row& row) {
  const int32_t* end = row.labels + row.length;
  return std::find_if(row.labels, end, [](int32_t label) { return label != batching::kNotATarget; }) - row.labels;
}

}  // namespace

std::pair<int64_t, int64_t> lengths_within(int64_t prompt, int64_t answer, int64_t budget) {
  int64_t most = 0;
  if (answer * 2 < budget) {
    most = budget;
  } else if (prompt * 2 < budget) {
    most = budget - prompt;
  } else {
    const double share = static_cast<double>(answer) / static_cast<double>(prompt + answer);
    most = static_cast<int64_t>(static_cast<double>(budget) * share);
  }
  const int64_t kept = std::min(most, answer);
  return {std::min(std::max<int64_t>(budget - kept, 0), prompt), kept};
}

void add_mismatched(const batching::RowData& data, ftrun_split split, int64_t row, int64_t n_rows, int64_t cutoff_len,
                    batching::MicroBatch& batch) {
  const ftrun_row own = data.row(split, row);
  const ftrun_row other = data.row(split, row > 0 ? row - 1 : n_rows - 1);
  const int64_t answer_begin = prompt_length(other);
  const auto [prompt, answer] = lengths_within(prompt_length(own), other.length - answer_begin, cutoff_len);
  std::vector<int32_t> ids(own.input_ids, own.input_ids + prompt);
  std::vector<int32_t> labels(static_cast<size_t>(prompt), batching::kNotATarget);
  const int32_t* begin = other.input_ids + answer_begin;
  ids.insert(ids.end(), begin, begin + answer);
  labels.insert(labels.end(), begin, begin + answer);
  batch.add_document(ids, labels);
}

}  // namespace ftrun::labelled
