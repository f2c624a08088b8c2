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

/// What a classifier's scalar head is called among an export's models.
inline constexpr const char* kScoreHead = "score";

/// Movable; outlives what is built from it.
struct ExportSetup {
  RunSetup run;  ///< without paradigm and data
  std::unique_ptr<OpenedDevices> devices;
  /// As it is written.
  std::shared_ptr<NetworkModel> model;
  /// tie_word_embeddings, where it is not what the base's config.json says.
  std::optional<bool> changed_tie;
  /// Adapters are all merged.
  AdapterPlan adapters;
  std::filesystem::path export_dir;
  uint64_t max_shard_bytes = 0;
  StoredDtype dtype = StoredDtype::kF32;
  double tolerance = 0;
  /// Of `template`, or of the tokenizer's chat_template where a shipped one writes as it does.
  std::shared_ptr<const TemplateEncoder> encoder;
};

/// The network that base and adapters are computed with before they are merged: the base's own, or the untied one where
/// the export unties, because the tied one cannot hold what adapters replace apart.
std::shared_ptr<NetworkModel> network_before(const ExportSetup& setup);

/// What the base's files hold, for either network of the setup.
std::unique_ptr<WeightSource> base_weights(const ExportSetup& setup, const NetworkModel& model);

/// Throws with file, line and key: keys that export does not use, an export_dir that is not empty, holds what is read
/// or, with overwrite_output_dir, anything but a former export; adapters of another base; a tie of tensors that differ.
ExportSetup prepare_export(const CommandContext& context);

}  // namespace ftrun
