// The data calls of the C ABI over rows that a test holds in memory, on any number of ranks.
// Leaves out: files, templates and the tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/data/data_order.h"
#include "ftrun/data.h"

namespace ftrun::test {

struct TestRow {
  std::vector<int32_t> ids;
  std::vector<int32_t> labels;
  std::vector<int32_t> document_lengths;
  bool block_diagonal = false;
  bool continuous = false;
  double margin = 0;
  bool desirable = false;
};

/// What one rank's calls answer from. Calls go to the service of the thread that makes them.
struct RowService {
  std::vector<TestRow> rows[2];  ///< by split
  BatchShape shape;
  int64_t rank = 0;
  std::string cache_folder;
  std::string opened_format;
  ftrun_data_flags opened_flags = 0;
  std::map<std::string, double> metrics;  ///< given since the last look
};

/// Answers the calling thread's calls until destroyed.
class RowServiceScope {
 public:
  explicit RowServiceScope(RowService& service);
  RowServiceScope(const RowServiceScope&) = delete;
  RowServiceScope& operator=(const RowServiceScope&) = delete;
  ~RowServiceScope();
};

const ftrun_data_api* row_service_api();
/// host->metric of the calling thread's service.
ftrun_status row_service_metric(ftrun_context* ctx, ftrun_str name, double value);

}  // namespace ftrun::test
