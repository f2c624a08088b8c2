// From what the user wrote to typed values: the host's keys and those of the plugins in use.
// Leaves out: loading plugins (plugin/open_plugins.h), which keys a command needs (train/).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/option_api.h"
#include "core/config/option_spec.h"
#include "core/config/option_value.h"
#include "core/config/selection.h"

namespace ftrun {

/// A plugin in use with its keys, as resolve needs it. `selection` is where its in-map options come from; NULL gives
/// defaults.
struct PluginOptionTable {
  std::string kind;
  std::string id;
  const std::vector<OptionSpec>* options = nullptr;
  const PluginSelection* selection = nullptr;
};

/// "paradigm 'x'" for each plugin on the search path that owns this key and is not in use. Called only to word an
/// error.
using KeyOwners = std::function<std::vector<std::string>(std::string_view key)>;

/// Typed, checked values. Movable; option handles stay valid. [any-thread] once built
class ResolvedConfig {
 public:
  struct PluginPart {
    std::string kind;
    std::string id;
    OptionValues values;
    ftrun_options handle;
    const std::vector<OptionSpec>* options;
  };

  /// The host's keys (stage, strategy, ... hold the names of the chosen plugins).
  const OptionValues& host() const noexcept { return *host_; }
  /// Of the n-th table given to resolve.
  const PluginPart& plugin(size_t index) const { return *plugins_.at(index); }
  size_t plugin_count() const noexcept { return plugins_.size(); }
  /// What create calls get: the plugin's values with the host's behind them.
  const ftrun_options* plugin_options(size_t index) const { return &plugin(index).handle; }
  /// Adds a plugin that is in use without being chosen (the host device): default values. Its options outlive the
  /// object's users.
  const ftrun_options* add_defaults(std::string kind, std::string id, const std::vector<OptionSpec>& options);
  /// Lines for the log: harmless keys that were ignored.
  const std::vector<std::string>& notices() const noexcept { return notices_; }

  bool is_set(std::string_view key) const { return host_->is_set(key); }
  bool is_given(std::string_view key) const { return host_->is_given(key); }
  bool get_bool(std::string_view key) const { return host_->get_bool(key); }
  int64_t get_int(std::string_view key) const { return host_->get_int(key); }
  double get_float(std::string_view key) const { return host_->get_float(key); }
  const std::string& get_string(std::string_view key) const { return host_->get_string(key); }
  const std::vector<std::string>& get_list(std::string_view key) const { return host_->get_list(key); }
  std::optional<bool> find_bool(std::string_view key) const { return host_->find_bool(key); }
  std::optional<int64_t> find_int(std::string_view key) const { return host_->find_int(key); }
  std::optional<double> find_float(std::string_view key) const { return host_->find_float(key); }
  std::optional<std::string> find_string(std::string_view key) const { return host_->find_string(key); }
  const std::string& origin(std::string_view key) const { return host_->origin(key); }

 private:
  friend class Resolver;
  std::unique_ptr<OptionValues> host_ = std::make_unique<OptionValues>();
  std::vector<std::unique_ptr<PluginPart>> plugins_;
  std::vector<std::string> notices_;
};

/// Throws one INVALID_ARGUMENT that lists every error (the first ConfigErrors::kMostKept of them): unknown keys
/// (nearest name; the plugin that owns it when that is not in use), wrong types, ranges and choices, keys given twice
/// under different names, in-map keys the chosen plugin does not have; and two tables that declare one flat key.
ResolvedConfig resolve(const ConfigSources& sources, std::span<const PluginOptionTable> plugins,
                       const KeyOwners& owners = {});

/// One message for each top-level key that neither the host nor, by `owners`, any plugin has: for a configuration that
/// cannot be resolved because its plugins could not be chosen.
std::vector<std::string> unknown_keys(const ConfigSources& sources, const KeyOwners& owners);

}  // namespace ftrun
