// Keys whose values are folders, compared with the folder that is written.
#include "core/train/input_folders.h"

#include "core/base/error.h"
#include "core/io/peft_adapter.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

void add_folder(std::vector<InputFolder>& folders, const std::string& key, const OptionValue& value,
                const std::string& path) {
  std::error_code ignored;
  if (!path.empty() && fs::exists(path, ignored)) folders.push_back({key, value.origin, path});
}

}  // namespace

std::vector<InputFolder> input_folders(const ResolvedConfig& config) {
  std::vector<InputFolder> folders;
  for (const char* key : {"model_name_or_path", "tokenizer_name_or_path", "adapter_name_or_path"}) {
    const OptionValue* value = config.host().find(key);
    if (value == nullptr || !value->is_set) continue;
    if (value->type != FTRUN_OPTION_STRING_LIST) add_folder(folders, key, *value, value->text);
    for (const std::string& path : value->items) add_folder(folders, key, *value, path);
  }
  for (size_t i = 0; i < config.plugin_count(); ++i) {
    for (const auto& [key, value] : config.plugin(i).values.entries()) {
      if (!value.is_set || value.type != FTRUN_OPTION_PATH) continue;
      // A plugin's other folders may well be for what it writes.
      const bool is_model = fs::is_regular_file(fs::path(value.text) / "config.json");
      if (is_model || is_adapter_folder(value.text)) add_folder(folders, key, value, value.text);
    }
  }
  return folders;
}

std::optional<fs::path> path_inside(const fs::path& inner, const fs::path& outer) {
  // A slash at the end would count as one more, empty part.
  const auto whole = [](const fs::path& path) {
    const fs::path canonical = fs::weakly_canonical(path);
    return canonical.has_filename() ? canonical : canonical.parent_path();
  };
  const fs::path way = whole(inner).lexically_relative(whole(outer));
  if (way.empty() || *way.begin() == "..") return {};
  return way;
}

void require_inputs_apart(const ResolvedConfig& config, std::string_view key, const fs::path& folder, bool is_cleared) {
  for (const InputFolder& input : input_folders(config)) {
    const auto inside = path_inside(input.path, folder);
    const char* relation = inside && *inside == "."          ? "is"
                           : !is_cleared                     ? nullptr
                           : inside                          ? "contains"
                           : path_inside(folder, input.path) ? "is inside"
                                                             : nullptr;
    if (relation == nullptr) continue;
    throw invalid_argument("{}: {}: '{}' {} {} '{}' ({}), whose files would be overwritten: choose another folder",
                           config.origin(key), key, folder.string(), relation, input.key, input.path.string(),
                           input.origin);
  }
}

}  // namespace ftrun
