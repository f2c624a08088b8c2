// Folder settings checked where the file and line of the setting are known.
#include "core/config/folder_setting.h"

#include <algorithm>
#include <vector>

#include "core/base/error.h"
#include "core/base/nearest_name.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

// OWNER/NAME with nothing of it on this disk.
bool looks_like_hub_name(const std::string& value) {
  const auto slash = value.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == value.size()) return false;
  if (value.find('/', slash + 1) != std::string::npos || value.front() == '.' || value.front() == '~') return false;
  std::error_code ignored;
  return !fs::exists(value.substr(0, slash), ignored);
}

}  // namespace

fs::path nearest_path(const fs::path& path) {
  std::error_code failure;
  fs::path known;
  for (const fs::path& part : path) {
    if (fs::exists(known / part, failure)) {
      known /= part;
      continue;
    }
    if (known == "/") return {};  // what stands there says nothing about what was meant
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(known.empty() ? fs::path(".") : known, failure)) {
      names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    const std::string nearest = nearest_name(part.string(), names);
    return nearest.empty() ? fs::path() : known / nearest;
  }
  return {};
}

void require_model_folder(std::string_view origin, std::string_view key, const std::string& value) {
  std::error_code failure;
  if (fs::is_directory(value, failure)) {
    const bool is_adapter = fs::exists(fs::path(value) / "adapter_config.json", failure);
    if (key == "tokenizer_name_or_path" || fs::exists(fs::path(value) / "config.json", failure)) return;
    if (!is_adapter) {
      throw not_found("{}: {}: '{}' has no config.json: expected the folder of a Hugging Face model", origin, key,
                      value);
    }
    throw invalid_argument("{}: {}: '{}' is the folder of an adapter: {}", origin, key, value,
                           key == "model_name_or_path"
                               ? "give the folder of its base model here and this one in adapter_name_or_path"
                               : "expected a whole model: `ftrun export` merges the adapter into its base");
  }
  const fs::path nearest = nearest_path(value);
  const std::string near = nearest.empty() ? std::string() : fmt::format(" (did you mean '{}'?)", nearest.string());
  if (looks_like_hub_name(value)) {
    throw not_found(
        "{}: {}: '{}' is not a folder{}; models are not downloaded by their name on a hub: download it first (for "
        "example `huggingface-cli download {} --local-dir DIR`) and give that DIR",
        origin, key, value, near, value);
  }
  throw not_found("{}: {}: '{}' is {}{}: expected the folder of a Hugging Face model", origin, key, value,
                  fs::exists(value, failure) ? "a file, not a folder" : "not a folder", near);
}

}  // namespace ftrun
