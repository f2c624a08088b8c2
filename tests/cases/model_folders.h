// The models/ and adapters/ folders that the cases name, written from their committed configurations with made-up
// weights. Leaves out: the cases' own inputs.
#pragma once

#include <filesystem>

namespace ftrun::test {

/// Writes destination/models/NAME for every folder of tests/cases/models (config.json, generation_config.json, the
/// shared tokenizer where it has none of its own, model.safetensors in fp32) and destination/adapters/NAME for every
/// folder of tests/cases/adapters (adapter_config.json, and adapter_model.safetensors with the tensors that PEFT wrote,
/// by names and shapes in tensors.json). A weight depends on its tensor's name and the element's index only, the same
/// bits on every machine: matrices and biases have mean 0 and deviation 0.1, norms mean 1. An adapter's `base_layer`
/// tensors are the base's. Throws std::runtime_error for an unreadable folder.
void write_model_folders(const std::filesystem::path& destination);

}  // namespace ftrun::test
