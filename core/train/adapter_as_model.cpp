// Settings are replaced before anything reads them, so that the run is the one with both keys given.
#include "core/train/adapter_as_model.h"

#include <filesystem>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/logging.h"
#include "core/base/path_text.h"
#include "core/config/host_options.h"
#include "core/config/selection.h"
#include "core/io/adapters_beneath.h"
#include "core/io/noted_folder.h"

namespace ftrun {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kModel = "model_name_or_path";
constexpr std::string_view kAdapters = "adapter_name_or_path";
constexpr std::string_view kTuner = "finetuning_type";

/// `values`: one, but for a key that is a list.
void replace_setting(ConfigSources& sources, std::string_view key, const std::vector<std::string>& values,
                     std::string origin) {
  const OptionSpec& spec = *find_host_option(key);
  for (auto* settings : {&sources.document, &sources.overrides}) {
    std::erase_if(*settings, [&](const Setting& setting) { return spec.has_name(setting.key); });
  }
  Setting setting = scalar_setting(std::string(key), "", origin);
  setting.value.kind = SettingValue::Kind::kList;  // a path may have a comma in it
  for (const std::string& value : values) {
    setting.value.items.push_back(scalar_setting("", unexpanded_path(value), origin).value);
  }
  if (spec.type != FTRUN_OPTION_STRING_LIST) {
    setting = scalar_setting(std::string(key), unexpanded_path(values.front()), std::move(origin));
  }
  sources.overrides.push_back(std::move(setting));
}

/// What is merged into the base before the adapter of `folder`, and that folder.
std::vector<std::string> adapters_up_to(const std::string& folder, const std::string& place) {
  std::vector<std::string> adapters;
  for (const AdapterBeneath& beneath : read_adapters_beneath(folder)) {
    const auto found = folders_with(places_of_noted_folder(beneath.path, folder), kAdapterConfigFile);
    const auto is_it = [&](const fs::path& path) { return PeftAdapter(path).content_hash() == beneath.content_hash; };
    const auto same = std::ranges::find_if(found, is_it);
    if (same == found.end()) {
      throw invalid_argument("{}, trained with '{}' merged into its base, which is {}: give {}: BASE and {}: [..., {}]",
                             place, beneath.path, found.empty() ? "no adapter folder here" : "another adapter now",
                             kModel, kAdapters, folder);
    }
    adapters.push_back(same->string());
  }
  adapters.push_back(folder);
  return adapters;
}

std::string quoted(const std::vector<fs::path>& paths, const char* between) {
  std::vector<std::string> texts;
  for (const fs::path& path : paths) texts.push_back("'" + path.string() + "'");
  return fmt::format("{}", fmt::join(texts, between));
}

/// The one model folder that the adapter's file may mean by `base`.
std::string base_folder(const std::string& base, const std::string& folder, const std::string& place) {
  const std::string remedy = fmt::format("give {}: BASE and {}: {}", kModel, kAdapters, folder);
  if (base.empty()) throw invalid_argument("{}, which names no base: {}", place, remedy);
  const std::vector<fs::path> places = places_of_noted_folder(base, folder);
  const std::vector<fs::path> found = folders_with(places, "config.json");
  if (found.empty()) {
    const std::string looked = places.size() == 1 ? "" : fmt::format(" (looked for at {})", quoted(places, ", "));
    throw invalid_argument("{}, whose base '{}' is no model folder here{}: {}", place, base, looked, remedy);
  }
  if (found.size() > 1) {
    throw invalid_argument("{}, whose base '{}' may be any of {}: {}", place, base, quoted(found, ", "), remedy);
  }
  return found.front().string();
}

/// The adapter that stands in the place of a model.
std::optional<std::string> adapter_given_as_model(const ConfigSources& sources) {
  std::optional<std::string> folder = peek_text(sources, kModel);
  if (folder && (fs::exists(fs::path(*folder) / "config.json") || !is_adapter_folder(*folder))) folder.reset();
  return folder;
}

std::string place_of(const ConfigSources& sources, const std::string& folder) {
  return fmt::format("{}: {}: '{}' is the folder of an adapter", peek_origin(sources, kModel), kModel, folder);
}

}  // namespace

void take_adapter_to_train(ConfigSources& sources) {
  const std::optional<std::string> folder = adapter_given_as_model(sources);
  const std::string tuner = peek_text(sources, kTuner).value_or("lora");
  if (folder && tuner != "lora") {
    throw invalid_argument(
        "{}, which {} '{}' ({}) does not train: give a whole model, which `ftrun export` makes of it, or write '{}: "
        "lora' to go on with it",
        place_of(sources, *folder), kTuner, tuner, peek_origin(sources, kTuner), kTuner);
  }
  take_adapter_as_model(sources);
}

void take_adapter_as_model(ConfigSources& sources) {
  const std::optional<std::string> folder = adapter_given_as_model(sources);
  if (!folder) return;
  const std::string origin = peek_origin(sources, kModel);
  const std::string place = place_of(sources, *folder);
  if (!peek_list(sources, kAdapters).empty()) {
    throw invalid_argument("{}, and {} ({}) is given too: give the base model here and every adapter there", place,
                           kAdapters, peek_origin(sources, kAdapters));
  }
  const fs::path file = fs::path(*folder) / kAdapterConfigFile;
  const std::string base =
      base_folder(parse_peft_config(read_file(file), file).base_model_name_or_path, *folder, place);
  const std::vector<std::string> adapters = adapters_up_to(*folder, place);
  const std::string beneath = fmt::format("{}", fmt::join(std::span(adapters).first(adapters.size() - 1), "', '"));
  log_info("'{}' is an adapter: the model is its base, '{}'{}", *folder, base,
           beneath.empty() ? std::string() : fmt::format(", with '{}' merged in", beneath));
  replace_setting(sources, kModel, {base}, file.string());
  replace_setting(sources, kAdapters, adapters, origin);
}

}  // namespace ftrun
