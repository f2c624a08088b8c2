// Settings that name a folder which must exist: the message when it does not.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace ftrun {

/// Throws NOT_FOUND "ORIGIN: KEY: 'VALUE' is not a folder" with the nearest folder that exists; a value that looks like
/// a model's name on a hub (OWNER/NAME) gets the advice to download it first.
void require_model_folder(std::string_view origin, std::string_view key, const std::string& value);

/// The existing file or folder whose name is nearest to the first part of `path` that does not exist; empty when none
/// is near.
std::filesystem::path nearest_path(const std::filesystem::path& path);

}  // namespace ftrun
