// Selection, loading and resolution in that order.
#include "core/plugin/open_plugins.h"

#include <cstdlib>
#include <filesystem>

#include "core/base/files.h"
#include "core/base/json_text.h"
#include "core/config/config_errors.h"
#include "core/config/document.h"
#include "core/config/folder_setting.h"
#include "core/plugin/import_config.h"
#include "core/plugin/launcher.h"
#include "ftrun/plugin.h"

namespace ftrun {
namespace {

constexpr std::string_view kHostDevice = "cpu";

// A selection with the plugin it led to.
struct Opened {
  const Plugin* plugin = nullptr;
  const PluginSelection* selection = nullptr;  // NULL: the plugin gets defaults
};

const Plugin* load_network(Registry& registry, const ConfigSources& sources) {
  const std::optional<std::string> folder = peek_text(sources, "model_name_or_path");
  if (!folder) return nullptr;
  require_model_folder(peek_origin(sources, "model_name_or_path"), "model_name_or_path", *folder);
  const std::filesystem::path path = std::filesystem::path(*folder) / "config.json";
  const nlohmann::json config = read_json_file(path);
  std::vector<std::string> architectures;
  if (config.is_object() && config.contains("architectures") && config["architectures"].is_array()) {
    for (const auto& name : config["architectures"]) {
      if (name.is_string()) architectures.push_back(name.get<std::string>());
    }
  }
  if (architectures.empty()) {
    throw invalid_argument("{}: architectures: expected a list of names; or name the plugin with 'network: NAME'",
                           path.string());
  }
  return &registry.find_network(architectures, path);
}

const Plugin* load_selected(Registry& registry, const ConfigSources& sources, const PluginSelection& selection,
                            Needs needs) {
  if (selection.kind == FTRUN_KIND_NETWORK && selection.id.empty()) return load_network(registry, sources);
  if (selection.kind == FTRUN_KIND_PARADIGM && selection.id.empty()) {
    if (needs != Needs::kParadigm) return nullptr;
    const std::vector<std::string> known = registry.ids(FTRUN_KIND_PARADIGM);
    const std::string place = selection.origin != "default" ? selection.origin + ": "
                              : sources.file.empty()        ? std::string()
                                                            : sources.file.string() + ": ";
    const std::string expected =
        known.empty() ? std::string("the name of a paradigm plugin, but there is none on the search path")
                      : fmt::format("the name of a paradigm that is installed: {}", fmt::join(known, ", "));
    throw invalid_argument("{}stage is not set: expected {}; write 'stage: NAME' or pass --stage NAME", place,
                           expected);
  }
  // One rank needs nobody to talk to, so only a transport that was asked for must exist.
  if (selection.kind == FTRUN_KIND_COLLECTIVES && selection.origin == "default" &&
      !registry.has(selection.kind, selection.id)) {
    return nullptr;
  }
  return &registry.load(selection.kind, selection.id, selection.origin);
}

std::vector<Opened> load_all(Registry& registry, const ConfigSources& sources, std::vector<PluginSelection>& selections,
                             Needs needs) {
  ConfigErrors errors;
  std::vector<Opened> opened;
  for (PluginSelection& selection : selections) {
    Opened entry;
    entry.selection = &selection;
    errors.collect([&] {
      entry.plugin = load_selected(registry, sources, selection, needs);
      if (entry.plugin == nullptr) return;
      const bool is_found = selection.id.empty();
      selection.id = entry.plugin->id();
      if (is_found)
        selection.origin = (std::filesystem::path(*peek_text(sources, "model_name_or_path")) / "config.json").string();
    });
    opened.push_back(entry);
  }
  if (!errors.empty()) {
    ConfigErrors all;
    for (std::string& message : unknown_keys(sources, [&](std::string_view key) { return registry.key_owners(key); }))
      all.add(std::move(message));
    all.append(errors);
    all.throw_if_any();
  }
  return opened;
}

}  // namespace

OpenedPlugins open_plugins(Registry& registry, const ConfigSources& sources, Needs needs) {
  std::vector<PluginSelection> selections = select_plugins(sources);
  import_foreign_config(registry, sources, selections);
  if (needs == Needs::kOneProcess) {
    require_one_process();
  } else {
    select_launcher_transport(registry, selections);
  }
  std::vector<Opened> opened = load_all(registry, sources, selections, needs);

  std::vector<PluginOptionTable> tables;
  std::vector<const Plugin*> plugins;
  const auto add = [&](const Plugin* plugin, const PluginSelection* selection) {
    tables.push_back({plugin->kind(), plugin->id(), &plugin->options(), selection});
    plugins.push_back(plugin);
  };
  bool host_device_is_chosen = false;
  for (const Opened& entry : opened) {
    if (entry.plugin == nullptr) continue;
    add(entry.plugin, entry.selection);
    host_device_is_chosen =
        host_device_is_chosen || (entry.plugin->kind() == FTRUN_KIND_DEVICE && entry.plugin->id() == kHostDevice);
  }

  OpenedPlugins result;
  result.config = resolve(sources, tables, [&](std::string_view key) { return registry.key_owners(key); });
  size_t index = 0;
  for (const Opened& entry : opened) {
    if (entry.plugin == nullptr) continue;
    const ChosenPlugin chosen = {entry.plugin, result.config.plugin_options(index++)};
    const std::string& kind = entry.plugin->kind();
    if (kind == FTRUN_KIND_PARADIGM) result.paradigm = chosen;
    if (kind == FTRUN_KIND_STRATEGY) result.strategy = chosen;
    if (kind == FTRUN_KIND_DEVICE) result.device = chosen;
    if (kind == FTRUN_KIND_COLLECTIVES) result.collectives = chosen;
    if (kind == FTRUN_KIND_NETWORK) result.network = chosen;
    if (kind == FTRUN_KIND_REWARD) result.rewards.push_back({chosen, entry.selection->weight});
  }
  result.host_device = result.device;
  if (!host_device_is_chosen) {
    const Plugin& host_device = registry.load(FTRUN_KIND_DEVICE, kHostDevice);
    result.host_device = {&host_device,
                          result.config.add_defaults(host_device.kind(), host_device.id(), host_device.options())};
  }
  return result;
}

Registry open_registry(const ConfigSources& sources) {
  ::setenv("OMP_NUM_THREADS", "1", 1);
  const std::vector<std::string> given = peek_list(sources, "plugin_path");
  for (const std::string& path : given) {
    std::error_code failure;
    if (std::filesystem::exists(path, failure)) continue;
    const std::filesystem::path nearest = nearest_path(path);
    const std::string reason = failure ? failure.message() : "No such file or directory";
    throw not_found("{}: plugin_path: '{}' ({}){}: expected a plugin library or a folder of them",
                    peek_origin(sources, "plugin_path"), path, reason,
                    nearest.empty() ? std::string() : fmt::format(" (did you mean '{}'?)", nearest.string()));
  }
  return Registry(plugin_search_path(given));
}

Registry open_tool_registry(std::span<const std::string> override_arguments) {
  const ConfigSources sources = read_config({}, override_arguments);
  for (const Setting& setting : sources.overrides) {
    if (setting.key != "plugin_path")
      throw invalid_argument("unknown flag {}: this command takes --plugin_path only", setting.origin);
  }
  return open_registry(sources);
}

}  // namespace ftrun
