// Access by row; all totals come from the index, so that nothing but the cache's checksum reads the tokens at start-up.
#include "core/data/encoded_dataset.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace ftrun {

std::vector<int32_t> EncodedRow::document_lengths() const {
  std::vector<int32_t> lengths;
  for (const DocumentRecord& document : documents) lengths.push_back(document.length);
  return lengths;
}

std::vector<int32_t> EncodedRow::position_lengths(RowLayout layout) const {
  return layout == RowLayout::kContinuous ? std::vector<int32_t>{static_cast<int32_t>(ids.size())} : document_lengths();
}

std::vector<int32_t> EncodedRow::segment_lengths(RowLayout layout) const {
  const bool alone = layout == RowLayout::kBlockDiagonal;
  return alone ? document_lengths() : std::vector<int32_t>{static_cast<int32_t>(ids.size())};
}

EncodedDataset::EncodedDataset(std::shared_ptr<const void> storage, EncodedArrays arrays,
                               std::vector<std::string> files, RowLayout layout, RowKind kind, uint64_t content_hash)
    : storage_(std::move(storage)),
      arrays_(arrays),
      files_(std::move(files)),
      layout_(layout),
      kind_(kind),
      content_hash_(content_hash) {
  for (const DocumentRecord& document : arrays_.documents) total_supervised_tokens_ += document.supervised;
  for (int64_t i = 0; i < size(); ++i) longest_row_ = std::max(longest_row_, row_length(i));
}

int64_t EncodedDataset::row_length(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return static_cast<int64_t>(arrays_.row_starts[i + 1] - arrays_.row_starts[i]);
}

EncodedRow EncodedDataset::row(int64_t index) const {
  if (index < 0 || index >= size()) throw internal_error("row {} of {} asked for", index, size());
  const auto i = static_cast<size_t>(index);
  const uint64_t begin = arrays_.row_starts[i];
  const uint64_t length = arrays_.row_starts[i + 1] - begin;
  const uint64_t first = arrays_.document_starts[i];
  return {arrays_.ids.subspan(begin, length), arrays_.labels.subspan(begin, length),
          arrays_.documents.subspan(first, arrays_.document_starts[i + 1] - first)};
}

int64_t EncodedDataset::longest_rows_tokens(int64_t count) const {
  std::vector<int64_t> lengths(static_cast<size_t>(size()));
  for (int64_t i = 0; i < size(); ++i) lengths[static_cast<size_t>(i)] = row_length(i);
  const int64_t taken = std::clamp<int64_t>(count, 0, size());
  std::partial_sort(lengths.begin(), lengths.begin() + taken, lengths.end(), std::greater<>());
  int64_t tokens = 0;
  for (int64_t i = 0; i < taken; ++i) tokens += lengths[static_cast<size_t>(i)];
  return tokens;
}

int64_t count_targets(std::span<const int32_t> labels) noexcept {
  if (labels.empty()) return 0;
  const auto targets = labels.subspan(1);
  return std::count_if(targets.begin(), targets.end(), [](int32_t label) { return label != kIgnoredLabel; });
}

}  // namespace ftrun
