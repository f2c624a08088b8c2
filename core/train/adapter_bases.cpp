// Paths and fingerprints: equal shapes do not make it the same base.
#include "core/train/adapter_bases.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/base/logging.h"
#include "core/io/adapters_beneath.h"
#include "core/io/noted_folder.h"

namespace ftrun {
namespace {

/// The folder's name, whether or not a slash follows it.
std::string folder_name(const std::filesystem::path& path) {
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

void warn_of_other_base(const ResolvedConfig& config, const PeftAdapter& adapter) {
  const std::string& theirs = adapter.config().base_model_name_or_path;
  const std::string& ours = config.get_string("model_name_or_path");
  if (theirs.empty() || theirs == ours) return;
  const auto folders = folders_with(places_of_noted_folder(theirs, adapter.folder()), "config.json");
  const auto is_ours = [&](const std::filesystem::path& folder) {
    std::error_code ignored;
    return std::filesystem::equivalent(folder, ours, ignored);
  };
  if (std::ranges::any_of(folders, is_ours)) return;
  // A folder that was moved, or a name on a hub: only its last part can be compared.
  if (folders.empty() && folder_name(theirs) == folder_name(ours)) return;
  log_warning(
      "{}: adapter_name_or_path: '{}' was trained on '{}' (its base_model_name_or_path), and model_name_or_path is "
      "'{}': is it the same model?",
      config.origin("adapter_name_or_path"), adapter.folder().string(), theirs, ours);
}

/// `before`: the adapters that the run puts beneath it.
void warn_of_others_beneath(const ResolvedConfig& config, const PeftAdapter& adapter,
                            std::span<const std::shared_ptr<const PeftAdapter>> before) {
  const std::vector<AdapterBeneath> beneath = read_adapters_beneath(adapter.folder());
  const bool same = std::ranges::equal(
      before, beneath, {}, [](const auto& given) { return given->content_hash(); }, &AdapterBeneath::content_hash);
  if (beneath.empty() || same) return;
  std::vector<std::string> paths;
  for (const AdapterBeneath& one : beneath) paths.push_back("'" + one.path + "'");
  log_warning(
      "{}: adapter_name_or_path: '{}' was trained on its base with {} merged in (its {}), and answers otherwise "
      "without: "
      "name them before it, in this order, unless model_name_or_path already holds them",
      config.origin("adapter_name_or_path"), adapter.folder().string(), fmt::join(paths, ", "), kAdaptersBeneathFile);
}

}  // namespace

void warn_of_other_bases(const ResolvedConfig& config, const AdapterPlan& plan) {
  std::vector<std::shared_ptr<const PeftAdapter>> adapters = plan.merged;
  if (plan.continued) adapters.push_back(plan.continued);
  for (size_t i = 0; i < adapters.size(); ++i) {
    warn_of_other_base(config, *adapters[i]);
    warn_of_others_beneath(config, *adapters[i], std::span(adapters).first(i));
  }
}

}  // namespace ftrun
