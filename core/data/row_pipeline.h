// Reads the rows of data sources, converts and tokenises them in parallel and spools the tokens in source order.
// Leaves out: splitting, packing and the cache (dataset.cpp).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/data/data_source.h"
#include "core/data/dataset.h"
#include "core/data/encoded_cache.h"
#include "core/data/encoded_example.h"
#include "core/data/row_reader.h"

namespace ftrun {

/// Memory is bounded by a batch of rows plus 56 bytes per kept document (and about as much again while rows are laid
/// out).
/// [control-thread]
class RowPipeline {
 public:
  /// The references must outlive the pipeline.
  RowPipeline(SpoolFile& spool, DataLedger& ledger, const ParallelFor& parallel_for, RowEncoder encoder,
              std::optional<int64_t> max_samples);

  /// Appends the rows of a source, at most max_samples of them, and enters them in the ledger. Throws INVALID_ARGUMENT
  /// when the file's own structure is not valid JSON or when there are no rows.
  void add(const DataSource& source);

  /// documents_of_kind(ledger.kind) for each kept row.
  const std::vector<SpooledDocument>& documents() const noexcept { return documents_; }

 private:
  struct Outcome;
  struct Reading;
  void add_batch(const MappedFile& file, const std::vector<RawRow>& rows, Reading& reading);
  void enter(const RawRow& row, Outcome& outcome);
  void keep(const RawRow& row, const EncodedItem& item);

  SpoolFile& spool_;
  DataLedger& ledger_;
  const ParallelFor& parallel_for_;
  RowEncoder encoder_;
  std::optional<int64_t> max_samples_;
  std::vector<SpooledDocument> documents_;
};

}  // namespace ftrun
