// What an export is made from, validated before anything is written.
// Leaves out: weights (merged_model.h).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "core/data/template_encoder.h"
#include "core/train/adapters.h"
#include "core/train/opened_devices.h"
#include "core/train/run.h"
#include "core/train/run_setup.h"

namespace ftrun {

/// Movable; outlives what is built from it.
struct ExportSetup {
  RunSetup run;  ///< without paradigm and data
  std::unique_ptr<OpenedDevices> devices;
  std::shared_ptr<NetworkModel> model;
  /// Adapters are all merged.
  AdapterPlan adapters;
  std::filesystem::path export_dir;
  uint64_t max_shard_bytes = 0;
  StoredDtype dtype = StoredDtype::kF32;
  double tolerance = 0;
  /// Of `template`, or of the tokenizer's chat_template where a shipped one writes as it does.
  std::shared_ptr<const TemplateEncoder> encoder;
};

/// Throws with file, line and key: keys that export does not use, an export_dir that is not empty, holds what is read
/// or, with overwrite_output_dir, anything but a former export; adapters of another base.
ExportSetup prepare_export(const CommandContext& context);

}  // namespace ftrun
