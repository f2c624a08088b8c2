// Offers foreign configurations to the strategy plugins.
#include "core/plugin/import_config.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/failure_detail.h"
#include "core/base/files.h"
#include "core/config/foreign_keys.h"
#include "core/config/host_options.h"
#include "core/config/option_value.h"
#include "core/plugin/host_table.h"

namespace ftrun {
namespace {

// What a plugin made of a setting.
struct Import {
  const Setting* setting = nullptr;
  std::string id;
  std::vector<Setting> options;
};

ftrun_status emit(void* sink, ftrun_str option, ftrun_str value) noexcept {
  try {
    auto& import = *static_cast<Import*>(sink);
    const std::string key(option.data, option.size);
    std::string text(value.data, value.size);
    if (key == "name") {
      import.id = std::move(text);
    } else {
      import.options.push_back(scalar_setting(key, std::move(text), import.setting->value.origin));
    }
    return FTRUN_OK;
  } catch (...) {
    return FTRUN_RESOURCE_EXHAUSTED;
  }
}

// Settings that may be a plugin's: top-level keys with a value that the host itself does not know; the command line's
// first.
std::vector<const Setting*> candidates(const ConfigSources& sources) {
  std::vector<const Setting*> found;
  for (const auto* layer : {&sources.overrides, &sources.document}) {
    for (const Setting& setting : *layer) {
      if (setting.value.kind != SettingValue::Kind::kNull && find_host_option(setting.key) == nullptr &&
          harmless_key_reason(setting.key).empty()) {
        found.push_back(&setting);
      }
    }
  }
  return found;
}

const ftrun_import_config* extension_of(const Plugin& plugin) {
  const auto* extension = static_cast<const ftrun_import_config*>(plugin.extension(FTRUN_IMPORT_CONFIG_EXTENSION));
  if (extension != nullptr &&
      (extension->head.tag != FTRUN_IMPORT_CONFIG_TAG || extension->head.struct_size < sizeof(ftrun_import_config) ||
       extension->import_config == nullptr)) {
    throw invalid_argument("{}: its extension {} is malformed", plugin.label(), FTRUN_IMPORT_CONFIG_EXTENSION);
  }
  return extension;
}

// The value as one text: words may stand in a list.
std::string given_text(const OptionSpec& spec, const SettingValue& value) {
  const bool takes_list = spec.type == FTRUN_OPTION_STRING_LIST;
  if (takes_list && value.kind == SettingValue::Kind::kList) {
    return fmt::to_string(fmt::join(convert_value(spec, value).items, ","));
  }
  if (value.kind != SettingValue::Kind::kScalar) {
    throw invalid_argument("{}: {}: expected a file{}, got {}", value.origin, spec.key, takes_list ? " or words" : "",
                           value.description());
  }
  OptionSpec as_text = spec;
  as_text.type = FTRUN_OPTION_STRING;
  return convert_value(as_text, value).text;
}

// Appends an import when the plugin takes the setting.
void offer(const Plugin& plugin, const ftrun_import_config& extension, const OptionSpec& spec, const Setting& setting,
           std::vector<Import>& imports) {
  const std::string given = given_text(spec, setting.value);
  std::error_code code;
  const bool is_file = std::filesystem::is_regular_file(given, code);
  const std::string text = is_file ? read_file(given) : given;
  Import import;
  import.setting = &setting;
  import.id = plugin.id();
  const ftrun_host* host = make_host_table(plugin.kind() + "/" + plugin.id(), {});
  const ftrun_status status = extension.import_config(host, {setting.key.data(), setting.key.size()},
                                                      {text.data(), text.size()}, emit, &import);
  if (status == FTRUN_NOT_FOUND) return;
  if (status == FTRUN_INVALID_ARGUMENT) {
    throw invalid_argument("{}: {}: {}{}", setting.value.origin, setting.key, is_file ? given + ": " : "",
                           take_failure_detail());
  }
  check_plugin(status, plugin, is_file ? given : setting.key);
  imports.push_back(std::move(import));
}

// Flags win over the file, whatever it says.
bool overrides(const Setting& written, const Setting& imported) {
  return written.value.origin.starts_with("--") && !imported.value.origin.starts_with("--");
}

}  // namespace

void import_foreign_config(Registry& registry, const ConfigSources& sources, std::vector<PluginSelection>& selections) {
  const std::vector<const Setting*> settings = candidates(sources);
  if (settings.empty()) return;
  const Setting* offered = nullptr;
  std::vector<Import> imports;
  for (const Plugin* plugin : registry.load_usable(FTRUN_KIND_STRATEGY)) {
    const ftrun_import_config* extension = extension_of(*plugin);
    if (extension == nullptr) continue;
    for (const OptionSpec& spec : plugin->options()) {
      if (!spec.is_flat() || spec.is_of_host()) continue;
      const auto found =
          std::ranges::find_if(settings, [&](const Setting* setting) { return spec.has_name(setting->key); });
      if (found == settings.end()) continue;
      offered = *found;
      offer(*plugin, *extension, spec, **found, imports);
    }
  }
  if (offered == nullptr) return;
  if (imports.size() > 1 && imports[0].setting != imports[1].setting) {
    throw invalid_argument("{}: {}: {} ({}) chooses the strategy too: remove one of them",
                           imports[0].setting->value.origin, imports[0].setting->key, imports[1].setting->key,
                           imports[1].setting->value.origin);
  }
  if (imports.size() != 1) {
    throw invalid_argument("{}: {}: {} strategy plugin takes '{}'; known strategies: {}", offered->origin, offered->key,
                           imports.empty() ? "no" : "more than one", offered->value.scalar,
                           fmt::join(registry.ids(FTRUN_KIND_STRATEGY), ", "));
  }
  const Import& import = imports.front();
  PluginSelection& strategy = *std::ranges::find(selections, FTRUN_KIND_STRATEGY, &PluginSelection::kind);
  if (strategy.is_named && strategy.id != import.id) {
    throw invalid_argument("{}: strategy is '{}', but {} ({}) means '{}'", strategy.origin, strategy.id,
                           import.setting->key, import.setting->origin, import.id);
  }
  if (strategy.origin == "default") strategy.origin = import.setting->value.origin;
  strategy.id = import.id;
  for (const Setting& option : import.options) {
    const auto written = std::ranges::find(strategy.options, option.key, &Setting::key);
    if (written == strategy.options.end()) {
      strategy.options.push_back(option);
    } else if (!overrides(*written, *import.setting) && written->value.scalar != option.value.scalar) {
      throw invalid_argument("{}: strategy.{} is '{}', but {} ({}) says '{}': remove one of them",
                             written->value.origin, option.key, written->value.scalar, import.setting->key,
                             import.setting->value.origin, option.value.scalar);
    }
  }
}

}  // namespace ftrun
