// Which models a run began from, as its checkpoints record it, so that it does not go on with others unnoticed.
// Leaves out: settings (checkpointing.h) and data (data_service.h), which are compared too.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/train/run.h"

namespace ftrun {

/// By key of the configuration (model_name_or_path, keys of other roles, adapter_name_or_path for what is merged,
/// "start" for an adapter that is trained on): {"path": ..., "fingerprint": ...}. The
/// fingerprint is of config.json and of every tensor's name, dtype, shape and 4 KiB from its middle; of the
/// configuration alone where weights are drawn.
nlohmann::json base_models(const Run& run);

/// Compares with what a checkpoint recorded (empty: nothing to compare). Throws INVALID_ARGUMENT naming the key and the
/// recorded path where something of the run still comes from a model that is another one now: frozen weights, a
/// reference; warns where all weights come from the checkpoint.
void check_same_bases(const Run& run, const nlohmann::json& recorded, const std::filesystem::path& checkpoint);

}  // namespace ftrun
