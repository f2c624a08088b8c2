// Reads the selector keys of file and command line.
#include "core/config/selection.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/config/config_errors.h"
#include "core/config/host_options.h"
#include "core/config/option_value.h"
#include "ftrun/plugin.h"

namespace ftrun {
namespace {

const Setting* find_setting(const std::vector<Setting>& settings, std::string_view key) {
  const auto found = std::ranges::find(settings, key, &Setting::key);
  return found == settings.end() ? nullptr : &*found;
}

const Setting* find_in_layers(const ConfigSources& sources, const OptionSpec& spec) {
  for (const auto* layer : {&sources.overrides, &sources.document}) {
    if (const Setting* setting = find_setting(*layer, spec.key); setting != nullptr) return setting;
    for (const std::string& alias : spec.aliases) {
      if (const Setting* setting = find_setting(*layer, alias); setting != nullptr) return setting;
    }
  }
  return nullptr;
}

double parse_weight(const Setting& setting, std::string_view key) {
  OptionSpec spec;
  spec.key = std::string(key) + ".weight";
  spec.type = FTRUN_OPTION_FLOAT;
  return convert_value(spec, setting.value).as_float;
}

// A name or a map with `name`.
PluginSelection read_selection(std::string_view kind, std::string_view key, const SettingValue& value,
                               bool may_lack_name) {
  PluginSelection selection;
  selection.kind = kind;
  selection.origin = value.origin;
  if (value.kind == SettingValue::Kind::kScalar && !value.scalar.empty()) {
    selection.id = value.scalar;
    selection.is_named = true;
    return selection;
  }
  if (value.kind != SettingValue::Kind::kMap) {
    throw invalid_argument("{}: {}: expected the name of a {} plugin or a map {{name: ..., option: ...}}, got {}",
                           value.origin, key, kind, value.description());
  }
  for (const Setting& entry : value.entries) {
    if (entry.key == "name") {
      if (entry.value.kind != SettingValue::Kind::kScalar || entry.value.scalar.empty()) {
        throw invalid_argument("{}: {}.name: expected the name of a {} plugin, got {}", entry.value.origin, key, kind,
                               entry.value.description());
      }
      selection.id = entry.value.scalar;
      selection.is_named = true;
      selection.origin = entry.value.origin;
    } else if (kind == FTRUN_KIND_REWARD && entry.key == "weight") {
      selection.weight = parse_weight(entry, key);
    } else {
      selection.options.push_back(entry);
    }
  }
  if (selection.id.empty() && !may_lack_name) {
    throw invalid_argument("{}: {}: the map lacks 'name'", value.origin, key);
  }
  return selection;
}

// Dotted keys of the command line win over the map's entries.
void apply_dotted(PluginSelection& selection, std::string_view key, const std::vector<Setting>& overrides) {
  const std::string prefix = std::string(key) + ".";
  for (const Setting& setting : overrides) {
    if (!setting.key.starts_with(prefix)) continue;
    Setting option = setting;
    option.key = setting.key.substr(prefix.size());
    if (option.key == "name") {
      selection.id = option.value.scalar;
      selection.is_named = true;
      selection.origin = option.value.origin;
    } else if (selection.kind == FTRUN_KIND_REWARD && option.key == "weight") {
      selection.weight = parse_weight(option, key);
    } else if (const auto found = std::ranges::find(selection.options, option.key, &Setting::key);
               found != selection.options.end()) {
      *found = option;
    } else {
      selection.options.push_back(option);
    }
  }
}

PluginSelection default_selection(std::string_view kind, std::string_view key) {
  PluginSelection selection;
  selection.kind = kind;
  selection.origin = "default";
  const OptionSpec& spec = *find_host_option(key);
  if (spec.has_default()) selection.id = spec.default_text;
  return selection;
}

PluginSelection select_one(const ConfigSources& sources, std::string_view kind) {
  const std::string_view key = selector_key(kind);
  PluginSelection selection = default_selection(kind, key);
  const Setting* setting = find_in_layers(sources, *find_host_option(key));
  if (setting != nullptr && setting->value.kind != SettingValue::Kind::kNull) {
    const std::string fallback = selection.id;
    // Without a paradigm's name the message should list what is installed, which is not known here.
    const bool may_lack_name = !fallback.empty() || kind == FTRUN_KIND_NETWORK || kind == FTRUN_KIND_PARADIGM;
    selection = read_selection(kind, key, setting->value, may_lack_name);
    if (selection.id.empty()) selection.id = fallback;
  }
  apply_dotted(selection, key, sources.overrides);
  return selection;
}

void select_rewards(const ConfigSources& sources, std::vector<PluginSelection>& out) {
  const Setting* setting = find_in_layers(sources, *find_host_option("reward"));
  std::vector<PluginSelection> rewards;
  if (setting != nullptr && setting->value.kind == SettingValue::Kind::kList) {
    for (const SettingValue& item : setting->value.items) {
      rewards.push_back(read_selection(FTRUN_KIND_REWARD, "reward", item, false));
    }
  } else if (setting != nullptr && setting->value.kind != SettingValue::Kind::kNull) {
    rewards.push_back(read_selection(FTRUN_KIND_REWARD, "reward", setting->value, true));
  }
  const auto dotted =
      std::ranges::find_if(sources.overrides, [](const Setting& s) { return s.key.starts_with("reward."); });
  if (dotted != sources.overrides.end()) {
    if (rewards.size() > 1) {
      throw invalid_argument("{}: 'reward' is a list of {}: set its options in the file", dotted->origin,
                             rewards.size());
    }
    if (rewards.empty()) rewards.push_back(default_selection(FTRUN_KIND_REWARD, "reward"));
    apply_dotted(rewards.front(), "reward", sources.overrides);
  }
  for (const PluginSelection& reward : rewards) {
    if (reward.id.empty()) throw invalid_argument("{}: reward: no name given", reward.origin);
  }
  out.insert(out.end(), rewards.begin(), rewards.end());
}

}  // namespace

std::vector<PluginSelection> select_plugins(const ConfigSources& sources) {
  ConfigErrors errors;
  std::vector<PluginSelection> selections;
  for (const std::string_view kind :
       {FTRUN_KIND_PARADIGM, FTRUN_KIND_STRATEGY, FTRUN_KIND_DEVICE, FTRUN_KIND_COLLECTIVES, FTRUN_KIND_NETWORK}) {
    errors.collect([&] { selections.push_back(select_one(sources, kind)); });
  }
  errors.collect([&] { select_rewards(sources, selections); });
  errors.throw_if_any();
  return selections;
}

std::optional<std::string> peek_text(const ConfigSources& sources, std::string_view key) {
  const OptionSpec* spec = find_host_option(key);
  if (spec == nullptr) throw internal_error("no host option '{}'", key);
  const Setting* setting = find_in_layers(sources, *spec);
  if (setting != nullptr && setting->value.kind != SettingValue::Kind::kNull)
    return convert_value(*spec, setting->value).text;
  return spec->has_default() ? std::optional(spec->default_text) : std::nullopt;
}

std::string peek_origin(const ConfigSources& sources, std::string_view key) {
  const OptionSpec* spec = find_host_option(key);
  if (spec == nullptr) throw internal_error("no host option '{}'", key);
  const Setting* setting = find_in_layers(sources, *spec);
  return setting == nullptr ? "default" : setting->value.origin;
}

std::vector<std::string> peek_list(const ConfigSources& sources, std::string_view key) {
  const OptionSpec* spec = find_host_option(key);
  if (spec == nullptr) throw internal_error("no host option '{}'", key);
  const Setting* setting = find_in_layers(sources, *spec);
  return setting == nullptr ? default_value(*spec).items : convert_value(*spec, setting->value).items;
}

}  // namespace ftrun
