// Writing the merged weights, tensor by tensor, without ever holding the model.
// Leaves out: the other files of the folder (export_command.cpp).
#pragma once

#include <filesystem>
#include <functional>

#include "core/export/export_setup.h"

namespace ftrun {

/// A rank of one on the setup's device with no model yet. [rank-thread]
class ExportRank {
 public:
  explicit ExportRank(const ExportSetup& setup);
  Rank& rank() noexcept { return instance_.rank(); }

 private:
  RankServices services_;
  RankInstance instance_;
};

/// The base's weights with every adapter of the setup merged.
std::unique_ptr<WeightSource> merged_weights(const ExportSetup& setup);

/// Bytes of the files that write_merged writes.
uint64_t merged_model_bytes(const ExportSetup& setup);

/// Writes model.safetensors, or shards with their index, into `folder`. Throws what reading and writing fail with,
/// DATA_LOSS for a number that the exported dtype cannot hold.
void write_merged(const ExportSetup& setup, const std::filesystem::path& folder);

}  // namespace ftrun
