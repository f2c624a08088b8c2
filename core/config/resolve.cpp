// Matches settings to option tables and converts them, collecting every error.
#include "core/config/resolve.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "core/base/nearest_name.h"
#include "core/config/config_errors.h"
#include "core/config/document.h"
#include "core/config/foreign_keys.h"
#include "core/config/host_options.h"
#include "ftrun/plugin.h"

namespace ftrun {
namespace {

constexpr size_t kHost = static_cast<size_t>(-1);

std::string unknown_key_text(const Setting& setting) {
  return fmt::format("{}: unknown key '{}'", setting.origin, setting.key);
}

std::string plugin_name(const PluginOptionTable& table) { return fmt::format("{} '{}'", table.kind, table.id); }

}  // namespace

class Resolver {
 public:
  Resolver(const ConfigSources& sources, std::span<const PluginOptionTable> plugins, const KeyOwners& owners)
      : sources_(sources), plugins_(plugins), owners_(owners), host_specs_(host_options()) {}

  ResolvedConfig run() {
    build_scope();
    errors_.throw_if_any();
    for (const Setting& setting : sources_.document) match(setting, from_file_);
    for (const Setting& setting : sources_.overrides) match(setting, from_command_line_);
    fill_defaults();
    for (const Assignment& assignment : from_file_) {
      if (!is_overridden(assignment)) convert(assignment);
    }
    for (const Assignment& assignment : from_command_line_) convert(assignment);
    fill_in_map_options();
    fill_selectors();
    std::vector<std::string> refusals;
    refuse_unavailable(*result_.host_, unreadable_, refusals);
    for (std::string& refusal : refusals) errors_.add(std::move(refusal));
    errors_.sort_by_line();
    errors_.throw_if_any();
    return std::move(result_);
  }

 private:
  // Where a flat name leads.
  struct Target {
    size_t owner = kHost;
    const OptionSpec* spec = nullptr;
    bool operator==(const Target&) const = default;
  };
  struct Assignment {
    const Setting* setting;
    Target target;
  };
  using Layer = std::vector<Assignment>;

  void build_scope() {
    for (size_t i = 0; i < plugins_.size(); ++i) {
      for (const OptionSpec& spec : *plugins_[i].options) {
        if (spec.is_of_host()) errors_.collect([&] { change_host_key(spec, i); });
      }
    }
    for (const OptionSpec& spec : host_specs_) add_to_scope(spec, {kHost, &spec});
    for (size_t i = 0; i < plugins_.size(); ++i) {
      for (const OptionSpec& spec : *plugins_[i].options) {
        if (spec.is_flat() && !spec.is_of_host()) add_to_scope(spec, {i, &spec});
      }
    }
  }

  void change_host_key(const OptionSpec& spec, size_t owner) {
    const auto host = std::ranges::find(host_specs_, spec.key, &OptionSpec::key);
    if (host == host_specs_.end()) {
      throw invalid_argument("{} changes host key '{}', which does not exist", plugin_name(plugins_[owner]), spec.key);
    }
    if (host->type != spec.type) {
      throw invalid_argument("{} changes the type of host key '{}'", plugin_name(plugins_[owner]), spec.key);
    }
    if (const auto [other, is_new] = changed_by_.emplace(spec.key, owner); !is_new) {
      throw invalid_argument("{} and {} both change host key '{}'", plugin_name(plugins_[other->second]),
                             plugin_name(plugins_[owner]), spec.key);
    }
    constexpr ftrun_option_flags kReplaced =
        FTRUN_OPTION_UNSET | FTRUN_OPTION_RANGE | FTRUN_OPTION_ABOVE_MIN | FTRUN_OPTION_BELOW_MAX;
    host->flags = (host->flags & ~kReplaced) | (spec.flags & kReplaced);
    host->default_text = spec.default_text;
    host->min = spec.min;
    host->max = spec.max;
  }

  void add_to_scope(const OptionSpec& spec, Target target) {
    add_name(spec.key, target);
    for (const std::string& alias : spec.aliases) add_name(alias, target);
  }

  void add_name(const std::string& name, Target target) {
    const auto [existing, is_new] = scope_.emplace(name, target);
    if (is_new) {
      names_.push_back(name);
      return;
    }
    errors_.add(fmt::format("{} and {} both declare the top-level key '{}'", owner_name(existing->second.owner),
                            owner_name(target.owner), name));
  }

  std::string owner_name(size_t owner) const { return owner == kHost ? "the host" : plugin_name(plugins_[owner]); }

  void match(const Setting& setting, Layer& layer) {
    const std::string_view first = std::string_view(setting.key).substr(0, setting.key.find('.'));
    if (!kind_of_selector(first).empty()) return;  // select_plugins has read it
    if (const auto found = scope_.find(setting.key); found != scope_.end()) {
      add_assignment({&setting, found->second}, layer);
    } else if (is_map_key(setting.key)) {
      errors_.collect([&] { match_map(setting, layer); });
    } else if (const std::string_view reason = harmless_key_reason(setting.key); !reason.empty()) {
      result_.notices_.push_back(fmt::format("{}: '{}' is ignored: {}", setting.origin, setting.key, reason));
    } else if (const ForeignKey* foreign = find_foreign_key(setting.key); foreign != nullptr) {
      match_foreign(setting, *foreign);
    } else {
      errors_.add(errors_.is_full() ? std::string() : unknown_key(setting));
    }
  }

  void match_foreign(const Setting& setting, const ForeignKey& foreign) {
    if (is_accepted(foreign, setting.value)) return;
    errors_.add(fmt::format(
        "{}: {}: {}{}", setting.origin, setting.key,
        foreign.accepted.empty() ? std::string() : fmt::format("{} is not available: ", setting.value.description()),
        foreign.reason));
  }

  void add_assignment(const Assignment& assignment, Layer& layer) {
    const auto earlier = std::ranges::find(layer, assignment.target, &Assignment::target);
    if (earlier != layer.end()) {
      errors_.add(fmt::format("{}: '{}' is the same key as '{}' at {}: give one of them", assignment.setting->origin,
                              assignment.setting->key, earlier->setting->key, earlier->setting->origin));
      return;
    }
    layer.push_back(assignment);
  }

  // Keys of the host that stand in a map: lr_scheduler_kwargs: {min_lr: ...}.
  bool is_map_key(const std::string& key) const {
    return std::ranges::any_of(host_specs_, [&](const OptionSpec& spec) {
      return spec.key.size() > key.size() && spec.key[key.size()] == '.' && spec.key.starts_with(key);
    });
  }
  void match_map(const Setting& setting, Layer& layer) {
    SettingValue value = setting.value;
    if (value.kind == SettingValue::Kind::kScalar && value.scalar.starts_with('{')) {
      value = parse_config_value(value.scalar, value.origin);
    }
    if (value.kind == SettingValue::Kind::kNull) return;
    if (value.kind != SettingValue::Kind::kMap) {
      throw invalid_argument("{}: {}: expected a map {{key: value}}, got {}", value.origin, setting.key,
                             value.description());
    }
    for (Setting entry : value.entries) {
      entry.key = setting.key + "." + entry.key;
      match(expanded_.emplace_back(std::move(entry)), layer);
    }
  }

  std::string unknown_key(const Setting& setting) const {
    const std::string text = unknown_key_text(setting);
    for (const PluginOptionTable& plugin : plugins_) {
      if (plugin.selection == nullptr) continue;
      for (const OptionSpec& spec : *plugin.options) {
        if (spec.key == setting.key && !spec.is_flat()) {
          const std::string_view selector = selector_key(plugin.kind);
          return text + fmt::format(": it is an option of {}: write '{}: {{name: {}, {}: ...}}' or --{}.{}",
                                    plugin_name(plugin), selector, plugin.id, spec.key, selector, spec.key);
        }
      }
    }
    const std::vector<std::string> owners = owners_ ? owners_(setting.key) : std::vector<std::string>();
    if (owners.empty()) return text + did_you_mean(setting.key, names_);
    return text +
           fmt::format(": it belongs to {}, but {}", fmt::join(owners, " and "), selected_instead(owners.front()));
  }

  // "stage is 'x'" for "paradigm 'y'".
  std::string selected_instead(std::string_view owner) const {
    const std::string_view kind = owner.substr(0, owner.find(' '));
    const std::string_view selector = selector_key(kind);
    for (const PluginOptionTable& plugin : plugins_) {
      if (plugin.kind == kind && plugin.selection != nullptr) return fmt::format("{} is '{}'", selector, plugin.id);
    }
    return fmt::format("no {} is in use", selector);
  }

  bool is_overridden(const Assignment& assignment) const {
    return std::ranges::find(from_command_line_, assignment.target, &Assignment::target) != from_command_line_.end();
  }

  void fill_defaults() {
    for (const OptionSpec& spec : host_specs_) {
      OptionValue value = default_value(spec);
      if (changed_by_.contains(spec.key)) value.source = ValueSource::kPluginDefault;
      result_.host_->set(spec.key, std::move(value));
    }
    for (const PluginOptionTable& plugin : plugins_) result_.add_defaults(plugin.kind, plugin.id, *plugin.options);
  }

  void convert(const Assignment& assignment) {
    const OptionSpec& spec = *assignment.target.spec;
    if (assignment.target.owner == kHost) unreadable_.insert(spec.key);
    errors_.collect([&] {
      assign(assignment.target.owner, spec, assignment.setting->value);
      unreadable_.erase(spec.key);
    });
  }
  void assign(size_t owner, const OptionSpec& spec, const SettingValue& value) {
    if (value.kind == SettingValue::Kind::kNull && !spec.is_nullable) return;  // the default stays
    OptionValues& values = owner == kHost ? *result_.host_ : result_.plugins_[owner]->values;
    values.set(spec.key, convert_value(spec, value));
  }

  void fill_in_map_options() {
    for (size_t i = 0; i < plugins_.size(); ++i) {
      if (plugins_[i].selection == nullptr) continue;
      for (const Setting& setting : plugins_[i].selection->options) {
        errors_.collect([&] { assign_in_map(i, setting); });
      }
    }
  }
  void assign_in_map(size_t owner, const Setting& setting) {
    const PluginOptionTable& plugin = plugins_[owner];
    std::vector<std::string> known = {"name"};
    std::vector<std::string> flat;
    for (const OptionSpec& spec : *plugin.options) {
      const bool named = spec.has_name(setting.key);
      if (named && spec.is_flat()) {
        throw invalid_argument("{}: '{}' stands at the top level of the configuration, not in the map of '{}'",
                               setting.origin, setting.key, selector_key(plugin.kind));
      }
      if (named) return assign(owner, spec, setting.value);
      (spec.is_flat() ? flat : known).push_back(spec.key);
    }
    std::string options = fmt::format("its map may have: {}", fmt::join(known, ", "));
    if (!flat.empty()) options += fmt::format("; at the top level: {}", fmt::join(flat, ", "));
    known.insert(known.end(), flat.begin(), flat.end());
    throw invalid_argument("{}: {} has no option '{}'{}; {}", setting.origin, plugin_name(plugin), setting.key,
                           did_you_mean(setting.key, known), options);
  }

  void fill_selectors() {
    for (const PluginOptionTable& plugin : plugins_) {
      if (plugin.selection == nullptr) continue;
      OptionValue value = *result_.host_->find(selector_key(plugin.kind));
      const bool another_reward = plugin.kind == FTRUN_KIND_REWARD && value.source != ValueSource::kDefault;
      value.text = another_reward ? value.text + "," + plugin.id : plugin.id;
      value.is_set = true;
      value.origin = plugin.selection->origin;
      if (value.origin != "default") {
        value.source = value.origin.starts_with("--") ? ValueSource::kCommandLine : ValueSource::kFile;
      }
      result_.host_->set(std::string(selector_key(plugin.kind)), std::move(value));
    }
  }

  const ConfigSources& sources_;
  std::span<const PluginOptionTable> plugins_;
  const KeyOwners& owners_;
  std::vector<OptionSpec> host_specs_;  // with the plugins' changes; never resized
  std::map<std::string, size_t, std::less<>> changed_by_;
  std::map<std::string, Target, std::less<>> scope_;
  std::vector<std::string> names_;
  std::deque<Setting> expanded_;
  Layer from_file_;
  Layer from_command_line_;
  std::set<std::string, std::less<>> unreadable_;  // host keys whose value could not be converted
  ConfigErrors errors_;
  ResolvedConfig result_;
};

const ftrun_options* ResolvedConfig::add_defaults(std::string kind, std::string id,
                                                  const std::vector<OptionSpec>& options) {
  auto part = std::make_unique<PluginPart>();
  part->kind = std::move(kind);
  part->id = std::move(id);
  part->options = &options;
  part->handle = {&part->values, host_.get()};
  for (const OptionSpec& spec : options) {
    if (!spec.is_of_host()) part->values.set(spec.key, default_value(spec));
  }
  plugins_.push_back(std::move(part));
  return &plugins_.back()->handle;
}

ResolvedConfig resolve(const ConfigSources& sources, std::span<const PluginOptionTable> plugins,
                       const KeyOwners& owners) {
  return Resolver(sources, plugins, owners).run();
}

std::vector<std::string> unknown_keys(const ConfigSources& sources, const KeyOwners& owners) {
  std::vector<std::string> names;
  for (const OptionSpec& spec : host_options()) {
    names.push_back(spec.key);
    names.insert(names.end(), spec.aliases.begin(), spec.aliases.end());
  }
  const auto is_known = [&](const std::string& key) {
    const auto names_it = [&](const std::string& name) { return name == key || name.starts_with(key + "."); };
    return !kind_of_selector(key.substr(0, key.find('.'))).empty() || std::ranges::any_of(names, names_it) ||
           !harmless_key_reason(key).empty() || find_foreign_key(key) != nullptr || !owners(key).empty();
  };
  std::vector<std::string> messages;
  for (const auto* layer : {&sources.document, &sources.overrides}) {
    for (const Setting& setting : *layer) {
      if (is_known(setting.key)) continue;
      const bool is_shown = messages.size() < ConfigErrors::kMostKept;
      messages.push_back(is_shown ? unknown_key_text(setting) + did_you_mean(setting.key, names) : std::string());
    }
  }
  return messages;
}

}  // namespace ftrun
