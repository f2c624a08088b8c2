// What a run leaves as its model: a Hugging Face folder, or PEFT's adapter folder where pairs are trained; and reading
// it back. Leaves out: optimizer state and checkpoints (checkpointing.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/model/weight_source.h"
#include "core/train/run.h"

namespace ftrun {

/// Writes into `folder` (created where missing) what transformers, or PEFT, opens: config and tokenizer files and
/// weights; with adapters adapter_config.json, adapter_model.safetensors and tokenizer files; a scalar head as
/// value_head.safetensors. Collective. What cannot be written is as the writers say.
void save_model(Run& run, const std::filesystem::path& folder);

/// Bytes of that, exact.
uint64_t saved_model_bytes(const Run& run);

/// dtype of the file that holds what was trained: the model's, or f32 for pairs unless save_dtype says otherwise.
StoredDtype trained_file_dtype(const Run& run);

/// The dtype in which `folder`, saved by save_model, holds what was trained.
StoredDtype dtype_of_saved(const Run& run, const std::filesystem::path& folder);

/// The run's weights with what was trained taken from `folder`. INVALID_ARGUMENT when the folder is of another model.
std::unique_ptr<WeightSource> weights_of_saved(const Run& run, const std::filesystem::path& folder);

}  // namespace ftrun
