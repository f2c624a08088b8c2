// Result files of a run: train_results.json, eval_results.json, all_results.json.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace ftrun {

/// Writes OUTPUT_DIR/<name>_results.json and merges the values into all_results.json, both atomically, keys sorted.
void write_results(const std::filesystem::path& output_dir, const std::string& name, const nlohmann::json& values);

}  // namespace ftrun
