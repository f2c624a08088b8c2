// What an export may replace: a folder with the files of a model and nothing else.
// Leaves out: folders that the command reads (core/train/input_folders.h).
#pragma once

#include <filesystem>

#include "core/config/resolve.h"

namespace ftrun {

/// What every export leaves in its folder: from what it was made, and how near it answers.
inline constexpr const char* kExportResultsFile = "export_results.json";

/// Throws INVALID_ARGUMENT naming the first file or folder (by name) in `folder`, the value of export_dir, that no
/// export writes, or kExportResultsFile where that is missing: a folder that is replaced may hold no other work.
void require_former_export(const ResolvedConfig& config, const std::filesystem::path& folder);

}  // namespace ftrun
