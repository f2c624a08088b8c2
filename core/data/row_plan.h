// Which documents, or parts of documents, stand in which row.
// Leaves out: the tokens (encoded_cache.h writes them) and best-fit packing itself (packing.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ftrun {

/// Tokens [begin, end) of a document.
struct RowPiece {
  int64_t document = 0;
  int32_t begin = 0;
  int32_t end = 0;
};

/// Rows of one split: row r holds pieces[starts[r]] .. pieces[starts[r + 1] - 1], end to end.
struct RowPlan {
  std::vector<RowPiece> pieces;
  std::vector<uint64_t> starts = {0};

  size_t rows() const noexcept { return starts.size() - 1; }
  std::span<const RowPiece> row(size_t index) const {
    return std::span(pieces).subspan(starts[index], starts[index + 1] - starts[index]);
  }
  /// Ends the row that the pieces since the last one make up.
  void end_row() { starts.push_back(pieces.size()); }
};

/// In all of these `members` are the split's documents in order and `lengths` their tokens.

/// `per_row` documents that follow each other make a row.
RowPlan plan_whole(std::span<const int64_t> members, std::span<const int32_t> lengths, int64_t per_row);
/// Whole documents packed best-fit into rows of at most `capacity` tokens.
RowPlan plan_packed(std::span<const int64_t> members, std::span<const int32_t> lengths, int64_t capacity);
/// Documents laid end to end and cut every `capacity` tokens; the last row is what is left. A last row of one token,
/// which would have nothing to predict, is left out.
RowPlan plan_stream(std::span<const int64_t> members, std::span<const int32_t> lengths, int64_t capacity);

}  // namespace ftrun
