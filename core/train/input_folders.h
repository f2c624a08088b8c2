// The folders that a command reads: none of them may be the one that it writes or clears.
// Leaves out: data files (output_claim.cpp), what is written.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/resolve.h"

namespace ftrun {

/// A folder with the key that names it.
struct InputFolder {
  std::string key;
  std::string origin;  ///< "FILE:LINE", "--key" or "default"
  std::filesystem::path path;
};

/// Those that exist of model_name_or_path, tokenizer_name_or_path and adapter_name_or_path (each), and models and
/// adapters that path keys of the plugins in use name. [any-thread]
std::vector<InputFolder> input_folders(const ResolvedConfig& config);

/// Throws INVALID_ARGUMENT naming both keys where `folder`, the value of `key`, is one of the inputs, links followed;
/// with `is_cleared` also where it contains one or lies inside one. [any-thread]
void require_inputs_apart(const ResolvedConfig& config, std::string_view key, const std::filesystem::path& folder,
                          bool is_cleared);

/// The way from `outer` to `inner` where `inner` is `outer` (".") or lies in it, links followed; nothing elsewhere.
std::optional<std::filesystem::path> path_inside(const std::filesystem::path& inner,
                                                 const std::filesystem::path& outer);

}  // namespace ftrun
