// The cache file: both splits of a prepared data set and their ledger in one mappable file.
// Leaves out: what belongs into the key and what is in the rows (dataset.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/data/data_ledger.h"
#include "core/data/encoded_dataset.h"
#include "core/data/row_plan.h"
#include "core/data/spool_file.h"

namespace ftrun {

/// Part of every key; raise it when the layout or the meaning of the rows changes.
inline constexpr uint32_t kCacheVersion = 7;

using CacheKey = std::array<uint64_t, 2>;

/// "data-<32 hex digits>.bin".
std::string cache_file_name(const CacheKey& key);

/// A document that waits in the spool: ids at `spool_begin`, then as many labels.
struct SpooledDocument {
  DocumentRecord record;
  uint64_t spool_begin = 0;
};

struct CacheContent {
  std::shared_ptr<const EncodedDataset> train;
  std::shared_ptr<const EncodedDataset> eval;
  DataLedger ledger;
};

struct CacheInput {
  const SpoolFile& spool;
  const std::vector<SpooledDocument>& documents;
  RowPlan train, eval;  ///< one without rows reads back as null
  RowLayout layout = RowLayout::kRestarting;
  RowKind kind = RowKind::kSupervised;
};

/// Writes atomically; fills `ledger.train` and `ledger.eval` before storing it. Throws as AtomicFile does.
void write_cache_file(const std::filesystem::path& path, const CacheKey& key, const CacheInput& input,
                      DataLedger& ledger);

/// Maps and validates: every byte is read once and held against the file's XXH3 checksum. nullopt when the file is
/// absent; when it is not a valid cache file of this key, nullopt too and `reason` says why.
std::optional<CacheContent> open_cache_file(const std::filesystem::path& path, const CacheKey& key,
                                            std::string& reason);

}  // namespace ftrun
