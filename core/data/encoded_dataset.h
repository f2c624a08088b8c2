// Tokenised rows, memory-mapped: ids, labels and the documents inside each row.
// Leaves out: how they are made (dataset.h) and the file's layout (encoded_cache.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/data/row_kind.h"

namespace ftrun {

inline constexpr int32_t kIgnoredLabel = -100;

/// How the documents of a row stand to each other.
enum class RowLayout : uint16_t {
  kRestarting = 0,     ///< positions restart at each document, attention crosses them (plain packing)
  kBlockDiagonal = 1,  ///< each document is alone: positions restart, attention ends, a first token is no target
  kContinuous = 2      ///< the row is one text: positions, attention and targets run through
};

/// A document, or the part of one, inside an encoded row. Stored in the cache file as it is: 48 bytes, little-endian.
struct DocumentRecord {
  int64_t line = 0;         ///< 1-based line of the row's first character in its file
  int64_t element = 0;      ///< of RawRow
  int64_t byte_offset = 0;  ///< of the row's text in its file
  int64_t byte_length = 0;
  int32_t file = 0;        ///< index into EncodedDataset::files()
  int32_t dataset = 0;     ///< index into DataLedger::datasets
  int32_t length = 0;      ///< tokens
  int32_t supervised = 0;  ///< targets after the shift, within the document
  double annotation = 0;   ///< see EncodedItem
};
static_assert(sizeof(DocumentRecord) == 56);

/// Spans point into the mapped file and live as long as the EncodedDataset.
struct EncodedRow {
  std::span<const int32_t> ids;               ///< [T]
  std::span<const int32_t> labels;            ///< [T], not shifted: labels[t] is ids[t] or kIgnoredLabel
  std::span<const DocumentRecord> documents;  ///< one for a plain row, in order; their lengths sum to T

  std::vector<int32_t> document_lengths() const;
  /// Lengths of the spans at whose beginning position ids restart.
  std::vector<int32_t> position_lengths(RowLayout layout) const;
  /// Lengths of the spans inside which tokens attend to each other.
  std::vector<int32_t> segment_lengths(RowLayout layout) const;
};

/// Where the arrays of one dataset lie in memory.
struct EncodedArrays {
  std::span<const int32_t> ids;
  std::span<const int32_t> labels;
  std::span<const uint64_t> row_starts;       ///< [rows + 1] into ids and labels
  std::span<const uint64_t> document_starts;  ///< [rows + 1] into documents
  std::span<const DocumentRecord> documents;
};

/// Immutable; any thread may read it.
class EncodedDataset {
 public:
  /// `storage` keeps the mapping behind `arrays` alive.
  EncodedDataset(std::shared_ptr<const void> storage, EncodedArrays arrays, std::vector<std::string> files,
                 RowLayout layout, RowKind kind, uint64_t content_hash = 0);

  int64_t size() const noexcept { return static_cast<int64_t>(arrays_.row_starts.size()) - 1; }
  /// `index` in [0, size()).
  EncodedRow row(int64_t index) const;
  int64_t row_length(int64_t index) const;
  RowLayout layout() const noexcept { return layout_; }
  RowKind kind() const noexcept { return kind_; }
  int64_t documents() const noexcept { return static_cast<int64_t>(arrays_.documents.size()); }
  std::span<const DocumentRecord> document_records() const noexcept { return arrays_.documents; }

  int64_t total_tokens() const noexcept { return static_cast<int64_t>(arrays_.ids.size()); }
  /// Targets counted after the shift: labels other than kIgnoredLabel, the first of each row left out.
  int64_t total_supervised_tokens() const noexcept { return total_supervised_tokens_; }
  int64_t longest_row() const noexcept { return longest_row_; }
  /// Most tokens that any `count` rows have together: the largest micro-batch that any order can make.
  int64_t longest_rows_tokens(int64_t count) const;

  /// Of all ids and labels.
  uint64_t content_hash() const noexcept { return content_hash_; }
  const std::vector<std::string>& files() const noexcept { return files_; }

 private:
  std::shared_ptr<const void> storage_;
  EncodedArrays arrays_;
  std::vector<std::string> files_;
  RowLayout layout_;
  RowKind kind_;
  uint64_t content_hash_;
  int64_t total_supervised_tokens_ = 0;
  int64_t longest_row_ = 0;
};

/// Targets of a label span, counted after the shift by one.
int64_t count_targets(std::span<const int32_t> labels) noexcept;

}  // namespace ftrun
