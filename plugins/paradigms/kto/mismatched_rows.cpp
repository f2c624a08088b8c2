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

bool have_same_prompt(const ftrun_row& a, const ftrun_row& b) {
  const int64_t length = prompt_length(a);
  return length == prompt_length(b) && std::equal(a.input_ids, a.input_ids + length, b.input_ids);
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

std::vector<int64_t> nearest_other_prompts(std::span<const uint8_t> same_as_before) {
  const size_t count = same_as_before.size();
  std::vector<int64_t> others(count);
  for (size_t i = 0; i < count; ++i) others[i] = static_cast<int64_t>(i > 0 ? i - 1 : count - 1);
  const auto first = std::ranges::find(same_as_before, 0);
  if (first == same_as_before.end()) return others;
  // Once round from where a run of equal prompts begins: inside a run, what lies before the run.
  const auto begin = static_cast<size_t>(first - same_as_before.begin());
  for (size_t step = 1; step < count; ++step) {
    const size_t row = (begin + step) % count;
    if (same_as_before[row]) others[row] = others[row > 0 ? row - 1 : count - 1];
  }
  return others;
}

std::vector<int64_t> mismatched_rows(const batching::RowData& data, ftrun_split split, int64_t n_rows) {
  std::vector<uint8_t> same(static_cast<size_t>(n_rows));
  for (int64_t i = 0; i < n_rows; ++i) {
    same[static_cast<size_t>(i)] = have_same_prompt(data.row(split, i), data.row(split, i > 0 ? i - 1 : n_rows - 1));
  }
  return nearest_other_prompts(same);
}

void add_mismatched(const batching::RowData& data, ftrun_split split, int64_t row, int64_t other_row,
                    int64_t cutoff_len, batching::MicroBatch& batch) {
  const ftrun_row own = data.row(split, row);
  const ftrun_row other = data.row(split, other_row);
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
