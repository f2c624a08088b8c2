// The data calls of the C ABI (ftrun/data.h) over core/data: opening, windows, rows, prompts, tokenizer.
// Leaves out: formats, templates and caching, which core/data does.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/data/data_order.h"
#include "core/data/dataset.h"
#include "core/data/prompts.h"
#include "core/data/tokenizer/tokenizer.h"
#include "ftrun/data.h"

namespace ftrun {

/// Everything a rank's data calls need; the run owns one per rank. `spec` holds what the configuration says; what the
/// paradigm asks for (flags) is added when it opens its data.
struct DataService {
  DataSpec spec;
  std::shared_ptr<const Tokenizer> tokenizer;
  ParallelFor parallel_for;
  BatchShape train_shape;
  BatchShape eval_shape;
  int64_t rank = 0;
  uint64_t seed = 0;
  bool shuffle = true;
  /// Called once with the ledger, before the first step.
  std::function<void(const DataLedger&)> on_ledger;

  std::vector<std::unique_ptr<ftrun_data>> opened;
  /// What opening last failed with; none after a success.
  std::exception_ptr open_failure;
  std::string decoded_text;

  DataService();
  DataService(const DataService&) = delete;
  DataService& operator=(const DataService&) = delete;
  ~DataService();
};

/// The static table. Each call finds its DataService through find_data_service.
const ftrun_data_api* data_api() noexcept;

/// Rows of the opened data, for those inside the host that look at what a paradigm opened (`ftrun data`, fingerprints).
const PreparedData& prepared_data(const ftrun_data& data) noexcept;

/// A number that changes when the encoded training rows or their order law change; stored in checkpoints.
uint64_t data_fingerprint(const ftrun_data& data);
/// The same of the evaluation rows; not stored.
uint64_t evaluation_fingerprint(const ftrun_data& data);

}  // namespace ftrun
